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
  // ASCII alone, so that a shell counts bytes whatever it takes for a character.
  const ascii = octal(`${text}\n#${nonce}-end`);
  const bytes = new TextEncoder().encode(ascii);
  return {
    // Each read is asked for no more than is left of the text: what follows it in the pipe belongs to the command.
    text: `t_= p_=.
while [ \${#t_} -lt ${bytes.length} ] && [ -n "$p_" ]; do
p_=$(dd bs=$((${bytes.length}-\${#t_})) count=1 2>/dev/null; echo .)
p_=\${p_%.} t_=$t_$p_
done
case $t_ in *'#${nonce}-end') eval "unset t_ p_
$(printf %b "$t_")" ;; *) echo "the command was cut off on its way" >&2; exit 1 ;; esac`,
    stdin: after(bytes, stdin),
  };
}

/** `text` in ASCII without a backslash of its own, as printf(1) decodes it. */
function octal(text: string): string {
  return text.replace(/\\|[^\n -~]+/g, (found) => {
    const bytes = Array.from(new TextEncoder().encode(found));
    return bytes.map((byte) => `\\0${byte.toString(8).padStart(3, "0")}`).join("");
  });
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
