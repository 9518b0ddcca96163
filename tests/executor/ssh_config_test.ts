import assert from "node:assert/strict";
import type { SshOptions, SshTarget } from "../../src/executor/ssh/types.ts";
import { hostSettings } from "../../src/executor/ssh/config.ts";
import { loginUser, routeTo } from "../../src/executor/ssh/route.ts";
import { failure } from "../helpers/rejects.ts";
import { withConfig } from "./ssh_config_fixture.ts";

function route(text: string, target: SshTarget, options: SshOptions = {}) {
  return withConfig(text, (sshConfigFile) => routeTo(target, { ...options, sshConfigFile }));
}

Deno.test("routeTo: missing values from ssh_config, first wins", async () => {
  const text = `
# comment
Host web? !web9
  HostName %h.example.com
  User deploy   # comment
  Port=2200
  IdentityFile ~/keys/%h_%r
  IdentityFile "/keys/with space"
Host *
  User other
  Port 23
  IdentityFile /keys/all
  UserKnownHostsFile /kh/one /kh/two
  GlobalKnownHostsFile none
  StrictHostKeyChecking accept-new
  IdentitiesOnly yes
  IdentityAgent none
`;
  const [hop] = await route(text, { host: "web1" });
  assert.ok(hop !== undefined);
  assert.deepEqual([hop.label, hop.address, hop.user, hop.port], [
    "web1",
    "web1.example.com",
    "deploy",
    2200,
  ]);
  const home = Deno.env.get("HOME");
  assert.deepEqual(hop.identityFiles, [
    `${home}/keys/web1.example.com_deploy`,
    "/keys/with space",
    "/keys/all",
  ]);
  assert.deepEqual(hop.knownHostsFiles, ["/kh/one", "/kh/two"]);
  assert.deepEqual(hop.keyNames, ["[web1.example.com]:2200", "web1.example.com"]);
  assert.deepEqual([hop.hostKeyPolicy, hop.identitiesOnly, hop.agentSocket], [
    "accept-new",
    true,
    null,
  ]);
  const [other] = await route(text, { host: "web9" });
  assert.deepEqual([other?.address, other?.user, other?.port], ["web9", "other", 23]);
  const [given] = await route(text, { host: "web1", user: "me", port: 22, identityFile: "/k" }, {
    hostKeyPolicy: "strict",
    knownHostsFiles: ["/kh"],
    agentSocket: "/agent",
  });
  assert.deepEqual([given?.user, given?.port, given?.identityFiles[0], given?.hostKeyPolicy], [
    "me",
    22,
    "/k",
    "strict",
  ]);
  assert.deepEqual([given?.knownHostsFiles, given?.agentSocket], [["/kh"], "/agent"]);
});

Deno.test("loginUser: given, from ssh_config, or our own", async () => {
  await withConfig("Host web1\n  User cloudsdk\n", async (sshConfigFile) => {
    for (const target of [{ host: "web1" }, { host: "web1", user: "me" }, { host: "web2" }]) {
      const [hop] = await routeTo(target, { sshConfigFile });
      assert.equal(await loginUser(target, { sshConfigFile }), hop?.user);
    }
    assert.equal(await loginUser({ host: "web1" }, { sshConfigFile }), "cloudsdk");
  });
});

Deno.test("hostSettings: follows Match and Include, runs nothing", async () => {
  const text = `
Include @DIR@/part-*
Match originalhost db user admin
  Port 1
Match exec "touch @DIR@/ran" host *
  Port 2
Match !user root originalhost db
  Port 3
Match all
  Port 4
`;
  await withConfig(text, async (file, dir) => {
    await Deno.writeTextFile(`${dir}/part-b`, "Host db\n  Compression yes\n");
    await Deno.writeTextFile(`${dir}/part-a`, `HostKeyAlias shared\nInclude ${dir}/part-a\n`);
    assert.equal((await hostSettings([file], "db", "admin")).word("port"), "1");
    assert.equal((await hostSettings([file], "db", "bob")).word("port"), "3");
    const root = await hostSettings([file], "db", "root");
    assert.equal(root.word("port"), "4");
    assert.equal(root.word("compression"), "yes");
    assert.equal(root.word("hostkeyalias"), "shared");
    assert.equal((await hostSettings([file], "web", "root")).word("compression"), undefined);
    await assert.rejects(Deno.stat(`${dir}/ran`), "Match exec is not run");
  });
});

Deno.test("routeTo: jump hosts in order, loops refused", async () => {
  const text = `
Host target
  ProxyJump a,me@b:2201
Host a
  HostName a.internal
  ProxyJump gate
Host b
  ProxyJump ignored-for-all-but-the-first
Host loop
  ProxyJump pool
Host pool
  ProxyJump loop
Host direct
  ProxyJump none
  ProxyCommand nc %h %p
Host tunnel
  ProxyCommand nc %h %p
`;
  const hops = await route(text, { host: "target" });
  assert.deepEqual(hops.map((hop) => `${hop.label}=${hop.address}:${hop.port}`), [
    "gate=gate:22",
    "a=a.internal:22",
    "b=b:2201",
    "target=target:22",
  ]);
  assert.equal(hops[2]?.user, "me");
  assert.equal((await route(text, { host: "direct" })).length, 1);
  assert.match((await failure(route(text, { host: "loop" }))).message, /loop in ProxyJump/);
  assert.match((await failure(route(text, { host: "tunnel" }))).message, /ProxyCommand/);
});

Deno.test("routeTo: names and addresses only", async () => {
  for (const host of ["web1", "web-1.example.com", "10.0.0.7", "fe80::1%eth0", "bücher.example"]) {
    assert.equal((await route("", { host })).at(-1)?.address, host);
  }
  const bad = [
    "",
    "-oProxyCommand=id",
    "a b",
    "a\nb ssh-rsa AAAA",
    "*",
    "a,b",
    "!a",
    "a;id",
    "$(id)",
  ];
  for (const host of bad) {
    assert.equal((await failure(route("", { host }))).code, "invalid_params", host);
  }
  const config = "Host web1\n  HostName %h,*\n";
  assert.equal((await failure(route(config, { host: "web1" }))).code, "invalid_params");
});

Deno.test("routeTo: jump hosts in every form, others refused", async () => {
  const through = async (jump: string) => {
    const text = `Host target\n  ProxyJump ${jump}\nHost *\n  User me\n`;
    const [first] = await route(text, { host: "target" });
    return [first?.user, first?.address, first?.port];
  };
  assert.deepEqual(await through("web1"), ["me", "web1", 22]);
  assert.deepEqual(await through("you@web1:22"), ["you", "web1", 22]);
  assert.deepEqual(await through("ssh://you@web1:2222/"), ["you", "web1", 2222]);
  assert.deepEqual(await through("[fe80::1]:2222"), ["me", "fe80::1", 2222]);
  for (const bad of ["a:b", "a:1:2", "@", "[x", "you@"]) {
    await assert.rejects(through(bad), { code: "invalid_params" }, bad);
  }
});

Deno.test("routeTo: names the file or value that is invalid", async () => {
  const broken = await failure(route('Host "web1\n  Port 22\n', { host: "web1" }));
  assert.equal(broken.code, "invalid_params");
  assert.match(broken.message, /Cannot read .*config/);
  const port = await failure(route("Port ssh\n", { host: "web1" }));
  assert.match(port.message, /ssh is not a port/);
  const alias = await route("HostKeyAlias Shared\nPort 2222\n", { host: "web1" });
  assert.deepEqual(alias[0]?.keyNames, ["shared"]);
});
