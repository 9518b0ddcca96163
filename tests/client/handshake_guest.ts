/** Connects to each address that it is given and prints how it was refused: for any runtime. */
import type { HarnessError } from "../../src/errors.ts";
import { RegistryClient } from "../../src/client/mod.ts";
import process from "node:process";

const say = (line: string) => void process.stdout.write(`${line}\n`);
const [token = "", ...urls] = process.argv.slice(2);
for (const url of urls) {
  try {
    const options = { token, reconnect: false };
    await (await RegistryClient.connect(url, options)).close();
    say("connected");
  } catch (error) {
    const { code, retryable, details, message } = error as HarnessError;
    const [status, reason] = [details?.["status"] ?? null, details?.["reason"] ?? null];
    say(JSON.stringify({ code, retryable, status, reason, message }));
  }
}
