/**
 * Sends `--mib` through stdin of one command and prints `{extra_mib, mib_per_s, received}`. A process of
 * its own, so that the memory it measures is that of the upload alone.
 */
import { localExecutor } from "../../src/executor/local.ts";
import { connectSsh } from "../../src/executor/ssh/connect.ts";

const [port, identityFile, knownHostsFile, mib, cipher] = Deno.args;
const total = Number(mib) * 1024 * 1024;
const chunk = new Uint8Array(256 * 1024).fill(7);
let peak = 0;

function source(size: number): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      peak = Math.max(peak, Deno.memoryUsage().rss);
      if (sent >= size) return controller.close();
      sent += chunk.length;
      controller.enqueue(chunk);
    },
  }, { highWaterMark: 0 });
}

await using machine = port === "local" ? localExecutor() : await connectSsh(
  { host: "127.0.0.1", port: Number(port), identityFile: identityFile ?? "" },
  {
    knownHostsFiles: [knownHostsFile ?? ""],
    sshConfigFile: null,
    agentSocket: null,
    ...(cipher === undefined ? {} : { ciphers: [cipher] }),
  },
);
// The first megabytes compile the code and fill the pools.
await machine.run({ argv: ["wc", "-c"] }, { stdin: source(16 * 1024 * 1024) });
peak = 0;
const before = Deno.memoryUsage().rss;
const startedAt = performance.now();
const { stdout } = await machine.run({ argv: ["wc", "-c"] }, { stdin: source(total) });
const seconds = (performance.now() - startedAt) / 1000;
const report = {
  extra_mib: Math.round((peak - before) / 1024 / 1024),
  mib_per_s: Math.round(total / 1024 / 1024 / seconds),
  received: Number(stdout),
};
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(report)));
