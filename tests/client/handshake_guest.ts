/** Connects to each address that it is given and prints how it was refused: for any runtime. */
import type { HarnessError } from "../../src/errors.ts";
import { RegistryClient } from "../../src/client/mod.ts";
// @ts-types="@types/ws"
import { WebSocket as WsClass } from "ws";
import process from "node:process";

const say = (line: string) => void process.stdout.write(`${line}\n`);
const [token = "", ...urls] = process.argv.slice(2);
// Node 20 has no WebSocket of its own.
const own = "WebSocket" in globalThis ? {} : { webSocket: WsClass as never };
for (const url of urls) {
  try {
    const options = { token, reconnect: false, ...own };
    await (await RegistryClient.connect(url, options)).close();
    say("connected");
  } catch (error) {
    const { code, retryable, details, message } = error as HarnessError;
    const [status, reason] = [details?.["status"] ?? null, details?.["reason"] ?? null];
    say(JSON.stringify({ code, retryable, status, reason, message }));
  }
}
