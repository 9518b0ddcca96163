/** A package whose author is hostile: what its manifest may not say, and that what it may say does nothing. */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { parseManifest } from "../../src/package/manifest/parse.ts";
import { Bench, run } from "../deploy/support.ts";
import { runHere } from "../helpers/cli.ts";
import { assertClean, HOSTILE, STYLE } from "./hostile_text.ts";
import { eventually } from "../helpers/raw_client.ts";

/** Lines of a manifest that aim at paths, units, users, flags or the shell. */
const REFUSED = [
  'name: "../../evil"',
  "name: -rf",
  'name: "a\\nb"',
  'version: "1.0.0/../../evil"',
  'version: "1.0.0\\n"',
  'version: "$(id)"',
  'service: {user: "root; id"}',
  "service: {user: -u0}",
  'service: {user: "0"}',
  "service: {type: systemd_service, unit: ../../x.service}",
  'service: {type: systemd_service, unit: "*.service"}',
  "service: {type: systemd_service, unit: --all.service}",
  "service: {type: docker_container, image: --privileged}",
  'service: {type: docker_container, image: "a b"}',
  'service: {ports: [{name: "x; id", port: 80}]}',
  "service: {ports: [{name: x, port: 80000}]}",
  "health: {script: ../../../bin/sh}",
  "health: {script: /bin/sh}",
  'health: {http: {port: 80, path: "/\\r\\nHost: evil"}}',
  'stop: {signal: "KILL; id"}',
  'env: {"A=B": x}',
  'env: {"A;id": x}',
  "env: {LD_PRELOAD: /x.so}",
  'depends_on: ["../x"]',
  'requires: {commands: ["-v; id"]}',
];

Deno.test("hostile package: a manifest that aims elsewhere is refused", () => {
  for (const line of REFUSED) {
    const key = line.slice(0, line.indexOf(":"));
    const rest = ["name: web", "version: 1.0.0"].filter((other) => !other.startsWith(`${key}:`));
    assert.throws(
      () => parseManifest([...rest, line].join("\n") + "\n"),
      (error) => error instanceof HarnessError && error.code === "package_invalid",
      line,
    );
  }
});

Deno.test("hostile package: its text attacks no terminal", async () => {
  await using bench = new Bench();
  const text = JSON.stringify(HOSTILE.replaceAll("\ud800", ""));
  const made = await bench.makePackage({
    yaml: `env: {NOTE: ${text}, TOKEN: {secret: true, default: ${text}}}\nx-note: ${text}\n`,
    files: { "bin/a\u202eb\u2028c": "x", "bin/-rf": "x", "bin/$(id)": "x" },
  });
  const path = `${bench.dir}/${made.file}`;
  await Deno.writeFile(path, await made.open());
  const commands = [["inspect", path], ["inspect", path, "--json"], ["verify", path]];
  for (const words of commands) {
    const { code, stdout, stderr } = await runHere(["package", ...words]);
    assert.equal(code, 0, stderr);
    assertClean((stdout + stderr).replaceAll(STYLE, ""), words.join(" "));
  }
});

Deno.test("hostile package: no value of it reaches a shell", async () => {
  await using bench = new Bench();
  const marker = `${bench.dir}/owned`;
  const values = [
    `$(touch ${marker})`,
    `\`touch ${marker}\``,
    `'; touch ${marker}; '`,
    `"; touch ${marker}; "`,
    `x\ntouch ${marker}\n`,
    `x\n# secret\ntouch ${marker}`,
    "\\",
    "%s%n",
    "-n",
    "*",
  ];
  const env = Object.fromEntries(values.map((value, at) => [`V${at}`, value]));
  const yaml = Object.entries(env).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}\n`);
  const start = `#!/bin/sh
env -0 >"$HARNESS_DATA_DIR/env.tmp" && mv "$HARNESS_DATA_DIR/env.tmp" "$HARNESS_DATA_DIR/env"
while :; do sleep 0.2; done
`;
  const source = await bench.makePackage({
    start,
    yaml: `env:\n${yaml.join("")}`,
    files: { "bin/$(id)": "x", "bin/-rf": "x", "bin/a b;c": "x" },
  });
  const { result } = await run(bench.plan(source));
  assert.equal(result.status, "succeeded", JSON.stringify(result));
  const file = `${bench.base()}/shared/env`;
  await eventually(() => Deno.stat(file).then(() => true, () => false), "it wrote its environment");
  const got = new Map(
    (await Deno.readTextFile(file)).split("\0").map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
  for (const [name, value] of Object.entries(env)) assert.equal(got.get(name), value, name);
  await assert.rejects(Deno.stat(marker), Deno.errors.NotFound);
});
