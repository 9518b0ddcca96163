import assert from "node:assert/strict";
import { exitCode } from "../../src/cli/commands/doctor.ts";
import { findingsFrom } from "../../src/cli/commands/doctor_host.ts";
import { runCli, startServer } from "../helpers/cli.ts";

const FINE = "system=Linux x86_64\nuid=1000\ninit=systemd\nsudo=no\nwritable=yes\nfree=9999999\n";

function byCheck(output: string, withSudo = false): Record<string, string> {
  const findings = findingsFrom("web1", "/opt", withSudo, output);
  return Object.fromEntries(findings.map((f) => [f.check.slice("web1 ".length), f.status]));
}

Deno.test("doctor: distinguishes usable from unusable hosts", () => {
  assert.deepEqual(byCheck(FINE), {
    "system": "ok",
    "commands": "ok",
    "install root": "ok",
    "disk": "ok",
  });
  assert.equal(byCheck(`${FINE}missing=tar\n`)["commands"], "fail");
  const readOnly = FINE.replace("writable=yes", "writable=no");
  assert.equal(byCheck(readOnly)["install root"], "fail");
  assert.equal(byCheck(readOnly.replace("uid=1000", "uid=0"))["install root"], "ok");
  const sudo = readOnly.replace("sudo=no", "sudo=yes");
  assert.equal(byCheck(sudo)["install root"], "fail");
  assert.equal(byCheck(sudo, true)["install root"], "ok");
  assert.equal(byCheck(FINE.replace("free=9999999", "free=10"))["disk"], "warn");
});

Deno.test("doctor: exits with 4 when only hosts are unreachable", () => {
  const finding = (status: "ok" | "warn" | "fail", unreachable?: boolean) => ({
    check: "x",
    message: "",
    status,
    ...(unreachable === undefined ? {} : { unreachable }),
  });
  assert.equal(exitCode([finding("ok"), finding("warn")]), 0);
  assert.equal(exitCode([finding("fail", true), finding("ok")]), 4);
  assert.equal(exitCode([finding("fail", true), finding("fail")]), 1);
});

Deno.test("doctor: checks state directory and server, changes nothing", async () => {
  await using server = await startServer();
  const dir = await Deno.makeTempDir({ prefix: "harness-doctor-" });
  try {
    const args = ["doctor", "--url", server.url, "--json", "--state-dir", `${dir}/new/deep`];
    const { code, stdout, stderr } = await runCli(args);
    assert.equal(code, 0, stderr);
    const findings = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(findings.map((f) => [f.check, f.status]), [
      ["runtime", "ok"],
      ["state directory", "ok"],
      ["server", "ok"],
    ]);
    await assert.rejects(Deno.stat(`${dir}/new`), Deno.errors.NotFound);
    await Deno.writeTextFile(`${dir}/file`, "");
    const inTheWay = await runCli(["doctor", "--url", server.url, "--state-dir", `${dir}/file`]);
    assert.equal(inTheWay.code, 1);
    assert.match(inTheWay.stdout, /^fail {2}state directory: .* is a file; .*--state-dir$/m);
    const noKey = await runCli(["doctor", "--url", server.url, "--identity", `${dir}/nokey`]);
    assert.match(noKey.stdout, /^fail {2}key .*nokey/m);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
