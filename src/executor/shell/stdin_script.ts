/**
 * Sends a command that is too long for a server's command line on stdin: dropbear breaks the connection at 9,000 bytes.
 *
 * A short command reads exactly that text from stdin and evaluates it; the rest of stdin is the command's own.
 *
 * @module
 */
import type { Stdin } from "../executor.ts";

/**
 * The short command, and stdin with `text` in front.
 *
 * @param text The command's text.
 * @param stdin The command's own stdin.
 * @param nonce Marks the end of the text: when the connection breaks while it is sent, a partial script, which could do
 * anything, must not run.
 */
export function stdinScript(
  text: string,
  stdin: Stdin | undefined,
  nonce: string,
): { text: string; stdin: Stdin } {
  const bytes = new TextEncoder().encode(`${text}\n#${nonce}-end`);
  return {
    // One byte at a time: larger reads may consume more than the text from a pipe.
    text: `t_=$(dd ibs=1 obs=4096 count=${bytes.length} 2>/dev/null)
case $t_ in *'#${nonce}-end') eval "unset t_
$t_" ;; *) echo "the command was cut off on its way" >&2; exit 1 ;; esac`,
    stdin: after(bytes, stdin),
  };
}

function after(head: Uint8Array, rest: Stdin | undefined): Stdin {
  if (rest === undefined) return head;
  if (rest instanceof ReadableStream) return prefixed(head, rest);
  const tail = typeof rest === "string" ? new TextEncoder().encode(rest) : rest;
  const all = new Uint8Array(head.length + tail.length);
  all.set(head);
  all.set(tail, head.length);
  return all;
}

function prefixed(
  head: Uint8Array,
  rest: ReadableStream<Uint8Array>,
): ReadableStream<Uint8Array> {
  const reader = rest.getReader();
  let begun = false;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (!begun) {
        begun = true;
        controller.enqueue(head);
        return;
      }
      const { value, done } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
