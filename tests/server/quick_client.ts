/**
 * A worker that answers a 101 at once, from a thread of its own: told a port, it connects often, and reports how many
 * of its requests were answered.
 */
import { RawSocket } from "../helpers/raw_socket.ts";

const ROUNDS = 50;
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<number>) => void;
  postMessage(answered: number): void;
};

async function isAnswered(port: number): Promise<boolean> {
  using socket = await RawSocket.open({ port });
  await socket.text('{"id":"at once","type":"request","action":"list_services"}');
  const timer = setTimeout(() => socket[Symbol.dispose](), 10_000);
  try {
    for await (const { payload } of socket.frames()) {
      if (new TextDecoder().decode(payload).includes("at once")) return true;
    }
    return false;
  } finally {
    clearTimeout(timer);
  }
}

scope.onmessage = async ({ data: port }) => {
  let answered = 0;
  while (answered < ROUNDS && await isAnswered(port)) answered++;
  scope.postMessage(answered);
};
