/** D1: who may do what and with the real program and a second user of the machine. */
import assert from "node:assert/strict";
import { bundle } from "../helpers/bundle.ts";
import { runCli, startServer as startCliServer } from "../helpers/cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { eventually } from "../helpers/raw_client.ts";
import { needs } from "../helpers/require.ts";

/** What another user of the machine does: no package is loaded, so that no cache of ours is needed. */
const OTHER_USER = `
const [url, ...files] = Deno.args;
const said = { uid: Deno.uid(), read: [] };
for (const file of files) {
  said.read.push(await Deno.readTextFile(file).then(() => "read", (e) => e.name));
}
const socket = new WebSocket(url);
const answers = new Map();
socket.onmessage = ({ data }) => {
  const frame = JSON.parse(data);
  if (frame.event === "hello") said.capabilities = frame.data.capabilities;
  answers.get(frame.id)?.(frame);
};
await new Promise((resolve) => socket.onopen = resolve);
let id = 0;
const ask = (action, params) => new Promise((resolve) => {
  answers.set(String(++id), resolve);
  socket.send(JSON.stringify({ id: String(id), type: "request", action, params }));
});
const execution = { type: "managed_process", command: "/bin/sh", args: ["-c", "id"] };
said.list = await ask("list_services", {});
said.registered = await ask("register_service", { service: { name: "evil", version: "1", execution } });
said.started = await ask("service_action", { name: "evil", action: "start" });
said.replaced = await ask("register_service", {
  service: { name: "mine", version: "1", execution }, replace: true,
});
said.deployed = await ask("deploy_package", { package: "a-1.0.0.tar.gz", target: "local" });
console.log(JSON.stringify(said));
Deno.exit();
`;

Deno.test({
  name: "rights: another user cannot make root's server run anything",
  ignore: needs("root"),
  async fn() {
    await using dir = await tempDir();
    await Deno.chmod(dir.path, 0o777);
    await using server = await startCliServer([], {
      stateDir: `${dir.path}/state`,
      env: { XDG_RUNTIME_DIR: dir.path },
    });
    const { port } = new URL(server.url);
    const tokenFile = `${dir.path}/state/token`;
    const cli = (...args: string[]) =>
      runCli([...args, "--url", server.url], { env: { XDG_RUNTIME_DIR: dir.path } });
    const mine = await cli(
      "service",
      "register",
      "mine",
      "--version",
      "1",
      "--command",
      "/bin/true",
    );
    assert.equal(mine.code, 0, mine.stderr);
    const script = `${dir.path}/other.js`;
    await Deno.writeTextFile(script, OTHER_USER);
    const files = [tokenFile, `${dir.path}/harness-ws-server/127.0.0.1_${port}.json`];
    const { stdout, stderr } = await new Deno.Command("setpriv", {
      args: [
        ...["--reuid=65534", "--regid=65534", "--clear-groups", "--", Deno.execPath(), "run", "-A"],
        ...["--no-config", "--quiet", script, server.url, ...files],
      ],
      cwd: dir.path,
      clearEnv: true,
      env: { DENO_DIR: `${dir.path}/cache`, HOME: dir.path },
    }).output();
    const said = JSON.parse(new TextDecoder().decode(stdout) || "null");
    assert.ok(said !== null, new TextDecoder().decode(stderr));
    assert.deepEqual([said.uid, said.capabilities], [65534, ["write"]]);
    assert.deepEqual(said.read, ["PermissionDenied", "PermissionDenied"]);
    assert.deepEqual(said.list.data.map(({ id }: { id: string }) => id), ["mine"]);
    assert.equal(said.registered.data.state, "registered");
    for (const { error } of [said.started, said.replaced, said.deployed]) {
      assert.equal(error.code, "unauthorized");
      assert.ok(error.message.endsWith(`send this server's token, which is in ${tokenFile}`));
    }
    const auditFile = `${dir.path}/state/audit.log`;
    const last = () => Deno.readTextFileSync(auditFile).includes("deploy_package");
    await eventually(last, "the last entry is written");
    const audit = (await Deno.readTextFile(auditFile)).trim().split("\n")
      .map((line) => JSON.parse(line));
    assert.equal((await Deno.stat(`${dir.path}/state/audit.log`)).mode! & 0o777, 0o600);
    assert.deepEqual(
      audit.map((
        { by, action, about, outcome },
      ) => [by, action, about.service ?? about.name, outcome]),
      [
        ["token", "register_service", "mine", "ok"],
        ["anonymous", "register_service", "evil", "ok"],
        ["anonymous", "service_action", "evil", "unauthorized"],
        ["anonymous", "register_service", "mine", "unauthorized"],
        ["anonymous", "deploy_package", undefined, "unauthorized"],
      ],
    );
    // Nothing starts it unless somebody with the token names it.
    const api = ["service", "register", "api", "--version", "1", "--command", "/bin/true"];
    assert.equal((await cli(...api, "--depends-on", "evil")).code, 0);
    const cascade = await cli("service", "start", "api", "--cascade");
    assert.match(cascade.stderr, /evil was registered by a client without a token.*\[conflict\]/);
  },
});

Deno.test({
  name: "rights: a token is also in the default state directory",
  ignore: needs("root"),
  async fn() {
    await using dir = await tempDir();
    await Deno.chmod(dir.path, 0o755);
    const [home, runtimeDir] = [`${dir.path}/home`, `${dir.path}/runtime`];
    for (const path of [home, runtimeDir]) {
      await Deno.mkdir(path, { mode: 0o700 });
      await Deno.chown(path, 65534, 65534);
    }
    const script = `${dir.path}/child.js`;
    await bundle({ entry: "tests/security/address_child.ts", out: script });
    const { stdout, stderr } = await new Deno.Command("setpriv", {
      args: [
        ...["--reuid=65534", "--regid=65534", "--clear-groups", "--", Deno.execPath(), "run", "-A"],
        ...["--no-config", "--quiet", script, home, runtimeDir],
      ],
      cwd: dir.path,
      clearEnv: true,
      env: { DENO_DIR: `${home}/cache`, HOME: home },
    }).output();
    const said = JSON.parse(new TextDecoder().decode(stdout) || "null");
    assert.ok(said !== null, new TextDecoder().decode(stderr));
    const inState = `${home}/.local/state/harness-ws-server/clients/127.0.0.1_7070.json`;
    assert.deepEqual(
      said.paths.toSorted(),
      [inState, `${runtimeDir}/harness-ws-server/127.0.0.1_7070.json`].sort(),
    );
    // By a client that has no runtime directory, as in a container or after `su`.
    assert.deepEqual(said.found, { token: "a-token", hostname: "127.0.0.1", path: inState });
    assert.equal(said.after, null);
  },
});
