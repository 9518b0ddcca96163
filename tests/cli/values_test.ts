import assert from "node:assert/strict";
import { duration, envPair, integer, listenAddress, size } from "../../src/cli/flags/values.ts";
import { readHostsFile } from "../../src/cli/flags/hosts_file.ts";
import { parseTarget, targetLabel } from "../../src/model/target.ts";
import { defaultStateDir } from "../../src/cli/server_process/state_dir.ts";

Deno.test("listenAddress(): parses all forms of host:port", () => {
  assert.deepEqual(listenAddress("127.0.0.1:8080"), { hostname: "127.0.0.1", port: 8080 });
  assert.deepEqual(listenAddress("[::1]:0"), { hostname: "::1", port: 0 });
  assert.deepEqual(listenAddress("0.0.0.0:1"), { hostname: "0.0.0.0", port: 1 });
  assert.deepEqual(listenAddress(":9"), { hostname: "127.0.0.1", port: 9 });
  assert.deepEqual(listenAddress("9"), { hostname: "127.0.0.1", port: 9 });
  for (const bad of ["", "host", "host:", "::1:80", "h:70000", "a b:1", "h:-1", "h:1x"]) {
    assert.throws(() => listenAddress(bad), /must be host:port/, bad);
  }
});

Deno.test("size(), duration(): refuse invalid values", () => {
  assert.equal(size("64KiB"), 65_536);
  assert.equal(duration("1.5s"), 1500);
  for (const bad of ["", "x", "1 parsec", "-1s", "10"]) {
    assert.throws(() => duration(bad), /must be a duration/, bad);
  }
  for (const bad of ["", "1KB", "1.5MiB"]) assert.throws(() => size(bad), /must be a size/, bad);
});

Deno.test("integer(), envPair(): check bounds and names", () => {
  assert.equal(integer(1, 5)("5"), 5);
  for (const bad of ["0", "6", "1.0", "", "1e1", " 1"]) assert.throws(() => integer(1, 5)(bad));
  assert.deepEqual(envPair("A_1=b=c\nd"), ["A_1", "b=c\nd"]);
  assert.deepEqual(envPair("A="), ["A", ""]);
  for (const bad of ["=x", "1A=x", "A", "A-B=x"]) assert.throws(() => envPair(bad), /NAME=value/);
});

Deno.test("parseTarget: reads what targetLabel writes", () => {
  assert.equal(parseTarget("local"), "local");
  assert.deepEqual(parseTarget("web1"), { host: "web1" });
  assert.deepEqual(parseTarget("me@web1:2222"), { host: "web1", user: "me", port: 2222 });
  assert.deepEqual(parseTarget("me@[fe80::1%eth0]:22"), {
    host: "fe80::1%eth0",
    user: "me",
    port: 22,
  });
  assert.deepEqual(parseTarget({ host: "[::1]", become: "sudo" }), { host: "::1", become: "sudo" });
  for (const text of ["local", "web1", "me@web1:2222", "me@[::1]:22", "[::1]"]) {
    assert.equal(targetLabel(parseTarget(text)), text);
  }
});

Deno.test("parseTarget(): refuses what ssh could misread", () => {
  const bad = [
    "",
    "-oProxyCommand=x",
    "me@-x",
    "a b",
    "h:0",
    "h:99999",
    "a@b@c",
    "::1",
    "h:",
    "x/y",
  ];
  for (const text of bad) assert.throws(() => parseTarget(text), /write it as \[user@\]host/, text);
});

Deno.test("readHostsFile: skips comments, reports file and line", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "# fleet\nweb1\n\n  me@web2:22  # the second\n");
    assert.deepEqual(await readHostsFile({ place: "--hosts-file", path: file }), [
      "web1",
      "me@web2:22",
    ]);
    await Deno.writeTextFile(file, "web1\n-oX\n");
    await assert.rejects(
      () => readHostsFile({ place: "--hosts-file", path: file }),
      new RegExp(`${file}:2:1: .*-oX`),
    );
    await Deno.writeTextFile(file, "# none\n");
    await assert.rejects(
      () => readHostsFile({ place: "--hosts-file", path: file }),
      /there is no host in it/,
    );
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("defaultStateDir(): order of precedence", () => {
  const dir = (given: string | null, env: Record<string, string>, uid: number) =>
    defaultStateDir(given, (name) => env[name], uid);
  assert.equal(dir("/x", { STATE_DIRECTORY: "/y" }, 0), "/x");
  assert.equal(dir(null, { STATE_DIRECTORY: "/y:/z" }, 0), "/y");
  assert.equal(dir(null, { XDG_STATE_HOME: "/s" }, 0), "/var/lib/harness-ws-server");
  assert.equal(dir(null, { XDG_STATE_HOME: "/s", HOME: "/h" }, 1), "/s/harness-ws-server");
  assert.equal(dir(null, { HOME: "/h" }, 1), "/h/.local/state/harness-ws-server");
  assert.throws(() => dir(null, {}, 1), /--state-dir/);
});
