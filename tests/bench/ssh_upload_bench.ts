/**
 * Upload speed of the SSH executor by cipher, against a real sshd on loopback, beside OpenSSH's own.
 *
 * Run: deno run -A tests/bench/ssh_upload_bench.ts [MiB] [rounds]
 */
import { CIPHERS } from "../../src/executor/ssh/algorithms.ts";
import { startSshd } from "../helpers/sshd.ts";
import { median } from "./stats.ts";

const mib = Deno.args[0] ?? "256";
const rounds = Number(Deno.args[1] ?? "5");
const script = new URL("../executor/upload_memory.ts", import.meta.url).pathname;

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

await using sshd = await startSshd();

async function ours(cipher: string): Promise<{ mib_per_s: number; extra_mib: number }> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", script, String(sshd.port), sshd.identityFile, sshd.knownHostsFile],
      ...[mib, cipher],
    ],
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function openssh(cipher: string): Promise<number> {
  const ssh = `ssh -F none -c ${cipher} -p ${sshd.port} -i ${sshd.identityFile} -o BatchMode=yes` +
    ` -o UserKnownHostsFile=${sshd.knownHostsFile} ${sshd.user}@${sshd.host}`;
  const startedAt = performance.now();
  await new Deno.Command("sh", {
    args: ["-c", `head -c ${mib}M /dev/zero | ${ssh} 'wc -c' >/dev/null`],
    stderr: "inherit",
  }).output();
  return Number(mib) / ((performance.now() - startedAt) / 1000);
}

print(`${mib} MiB, median of ${rounds} rounds, MiB/s (OpenSSH's includes its connecting)`);
for (const cipher of [...CIPHERS, "chacha20-poly1305@openssh.com"]) {
  const speeds: number[] = [];
  const extra: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const report = await ours(cipher);
    speeds.push(report.mib_per_s);
    extra.push(report.extra_mib);
    theirs.push(Math.round(await openssh(cipher)));
  }
  const offered = CIPHERS.includes(cipher) ? "" : "  (not offered)";
  print(
    `${cipher.padEnd(32)} ${median(speeds)}  OpenSSH ${median(theirs)}` +
      `  extra memory ${Math.max(...extra)} MiB${offered}`,
  );
}
