/**
 * Files with several mistakes: all of them are reported, one line each.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runHere } from "../helpers/cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";

/** What the program prints about a file with this text; `FILE` in the arguments is its path. */
async function mistakesIn(name: string, text: string, args: readonly string[]): Promise<string[]> {
  await using dir = await tempDir();
  const file = join(dir.path, name);
  await Deno.writeTextFile(file, text);
  const words = args.map((arg) => arg.replace("FILE", file).replace("DIR", dir.path));
  const { code, stderr } = await runHere(words);
  assert.notEqual(code, 0, stderr);
  return stderr.replaceAll(dir.path, "DIR").trimEnd().split("\n");
}

Deno.test("serve: reports every mistake of its config file", async () => {
  const text = "listen: foo\nlistner: ws\nlog-level: [info, debug]\nmax-connections: -1\n";
  assert.deepEqual(await mistakesIn("c.yaml", text, ["serve", "--config", "FILE"]), [
    "harness-ws-server: Cannot use the config file: 4 mistakes [invalid_params]",
    '  DIR/c.yaml:1:9: "listen" must be host:port, such as 127.0.0.1:8080 or [::1]:8080 ' +
    '(port 0 = any free); got "foo"',
    '  DIR/c.yaml:2:1: unknown key "listner", did you mean "listener"?',
    '  DIR/c.yaml:3:13: "log-level" takes one value, not a list',
    '  DIR/c.yaml:4:18: "max-connections" must be a whole number, 1 to 1000000000; got "-1"',
  ]);
});

Deno.test("package build: reports every mistake of a manifest", async () => {
  const text =
    "name: a b\nversoin: 1.0.0\nhealth: {tcp: web, intervall: 5s}\ndepends_on: [x, x]\n" +
    "restart: {policy: alwys}\n";
  const lines = await mistakesIn("manifest.yaml", text, ["package", "build", "DIR"]);
  assert.equal(
    lines[0],
    "harness-ws-server: Cannot read the manifest: 7 mistakes [package_invalid]",
  );
  assert.deepEqual(
    lines.slice(1, 8).map((line) => /^ {2}DIR\/manifest\.yaml:(\d+:\d+): \S/.exec(line)?.[1]),
    ["1:1", "1:7", "2:1", "3:15", "3:20", "4:17", "5:19"],
    lines.join("\n"),
  );
  assert.match(lines[7] ?? "", /must be one of no, .+; got "alwys", did you mean "always"\?/);
});

Deno.test("package build: shows the line that is not YAML", async () => {
  const lines = await mistakesIn("manifest.yaml", "name: a\nversion: }\n", [
    "package",
    "build",
    "DIR",
  ]);
  assert.match(lines[0] ?? "", /DIR\/manifest\.yaml:2:10: this is not valid YAML: /);
  assert.deepEqual(lines.slice(1, 3), ["      version: }", "               ^"]);
});

Deno.test("deploy: reports every mistake of a hosts file", async () => {
  const text = "web1 # fine\na b\n\n  -x\nweb1\n";
  const args = ["deploy", "x@1.0.0", "--hosts-file", "FILE"];
  const lines = await mistakesIn("hosts", text, args);
  assert.equal(
    lines[0],
    "harness-ws-server: Cannot use --hosts-file: 3 mistakes [invalid_params]",
  );
  assert.match(lines[1] ?? "", /^ {2}DIR\/hosts:2:1: .+"a b"/);
  assert.match(lines[2] ?? "", /^ {2}DIR\/hosts:4:3: .+"-x"/);
  assert.equal(lines[3], '  DIR/hosts:5:1: "web1" is named in line 1 already');
});

Deno.test("deploy: reports mistakes of an env file without values", async () => {
  const text = "A=1\nhunter2\nexport 2B=hunter3\n";
  const args = ["deploy", "x@1.0.0", "--local", "--env-file", "FILE"];
  const lines = await mistakesIn("env", text, args);
  assert.match(lines[1] ?? "", /^ {2}DIR\/env:2:1: the line must be NAME=value/);
  assert.match(lines[2] ?? "", /^ {2}DIR\/env:3:8: the line must be NAME=value/);
  assert(!/hunter/.test(lines.join()), lines.join("\n"));
});

Deno.test("deploy: reports every file that it cannot use", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  await Deno.writeTextFile(at("env"), "A=1\nb c\n");
  await Deno.writeFile(at("key"), new Uint8Array([0x61, 0xff]));
  await Deno.writeTextFile(at("fine"), "secret\n");
  const files = ["A=none", "B=key", "C=fine"].map((one) => one.replace("=", `=${dir.path}/`))
    .flatMap((one) => ["--secret-file", one]);
  const args = ["deploy", "x@1.0.0", "--local", "--env-file", at("env"), ...files];
  const { code, stderr } = await runHere(args);
  assert.equal(code, 2);
  assert.deepEqual(stderr.replaceAll(dir.path, "DIR").trimEnd().split("\n").slice(0, 4), [
    "harness-ws-server: Cannot use 3 files [invalid_params]",
    "  Cannot use --env-file: DIR/env:2:1: the line must be NAME=value, " +
    "with a name of letters, digits and _",
    "  Cannot read --secret-file DIR/none: there is no such file, correct the path",
    "  Cannot use --secret-file DIR/key: it is not UTF-8 text; encode it, for example with base64",
  ]);
  const { stdout } = await runHere(["deployments", "resume", "d", ...files, "--json"]);
  const { error } = JSON.parse(stdout);
  assert.equal(error.code, "not_found");
  assert.deepEqual(error.details.errors.map((one: { code: string }) => one.code), [
    "not_found",
    "invalid_params",
  ]);
});

Deno.test("package build: --json has the places of mistakes", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(join(dir.path, "manifest.yaml"), "name: 1\nversion: 1.0.0\nfoo: 1\n");
  const { stdout } = await runHere(["package", "build", dir.path, "--json"]);
  const { error } = JSON.parse(stdout);
  assert.equal(error.code, "package_invalid");
  assert.deepEqual(
    error.details.issues.map(({ path, line, column }: Record<string, unknown>) => [
      path,
      line,
      column,
    ]),
    [["name", 1, 7], ["foo", 3, 1]],
  );
});
