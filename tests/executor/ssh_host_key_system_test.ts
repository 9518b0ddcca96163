import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { HarnessError } from "../../src/errors.ts";
import type { SshOptions } from "../../src/executor/ssh/types.ts";
import { needs } from "../helpers/require.ts";
import { runProgram, type Sshd, startSshd } from "../helpers/sshd.ts";
import { connectTo } from "./machines.ts";
import { TcpProxy } from "./tcp_proxy.ts";
import { eventually } from "../helpers/raw_client.ts";

const ignore = needs("sshd");

type Reachable = Pick<Sshd, "host" | "port" | "user" | "identityFile" | "knownHostsFile">;

async function refusal(sshd: Reachable, options: SshOptions = {}): Promise<HarnessError> {
  try {
    await using machine = await connectTo(sshd, options);
    assert.fail(`was let in to ${machine.host}`);
  } catch (error) {
    assert.ok(error instanceof HarnessError, String(error));
    assert.equal(error.code, "unreachable", error.message);
    return error;
  }
}

async function refusalReason(sshd: Reachable, options: SshOptions = {}): Promise<unknown> {
  const { details } = await refusal(sshd, options);
  assert.equal(details?.step, "host_key");
  assert.equal(details?.host, "127.0.0.1");
  return details?.reason;
}

async function works(sshd: Reachable, options: SshOptions = {}): Promise<void> {
  await using machine = await connectTo(sshd, options);
  assert.equal((await machine.run({ argv: ["echo", "in"] })).stdout, "in\n");
}

/** What the real ssh says to the same server with the same file. */
async function sshAgrees(sshd: Sshd, knownHostsFile: string): Promise<boolean> {
  const { stderr, success } = await new Deno.Command("ssh", {
    args: [
      ...["-F", "none", "-p", String(sshd.port), "-i", sshd.identityFile, "-o", "BatchMode=yes"],
      ...["-o", `UserKnownHostsFile=${knownHostsFile}`, "-o", "GlobalKnownHostsFile=none"],
      ...["-o", "StrictHostKeyChecking=yes", `${sshd.user}@${sshd.host}`, "true"],
    ],
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stderr);
  assert.ok(success || /Host key verification failed/.test(text), text);
  return success;
}

Deno.test({
  name: "connectSsh: accepts known hosts exactly as ssh does",
  ignore,
  fn: async () => {
    await using sshd = await startSshd({ hostKeyTypes: ["ed25519", "ecdsa", "rsa"] });
    const [ed = "", ecdsa = "", rsa = ""] = sshd.hostKeys;
    const name = `[127.0.0.1]:${sshd.port}`;
    const file = `${sshd.dir}/kh`;
    const rows: Array<[string, string]> = [
      [`${name} ${ed}`, "known"],
      // A host that is known by one type only, although it has others that we would rather ask for.
      [`${name} ${ecdsa}`, "known"],
      [`${name} ${rsa}`, "known"],
      [`[127.0.0.*]:* ${ed}`, "known"],
      [`127.0.0.1 ${ed}`, "known"],
      [`other,${name} ${ed} comment\n# comment`, "known"],
      [`nonsense\n${name} ${ed}`, "known"],
      [`[127.0.0.1]:1 ${ed}`, "host_key_unknown"],
      [`[127.0.0.*]:*,!${name} ${ed}`, "host_key_unknown"],
      [`127.0.0.*,!127.0.0.1 ${ed}`, "host_key_unknown"],
      [`@cert-authority ${name} ${ed}`, "host_key_unknown"],
      [`${name} ${ed}\n@revoked * ${ed}`, "host_key_revoked"],
      ["", "host_key_unknown"],
    ];
    for (const [text, expected] of rows) {
      await Deno.writeTextFile(file, `${text}\n`);
      assert.equal(await sshAgrees(sshd, file), expected === "known", text);
      if (expected === "known") await works(sshd, { knownHostsFiles: [file] });
      else assert.equal(await refusalReason(sshd, { knownHostsFiles: [file] }), expected, text);
    }
    await Deno.writeTextFile(file, `${name} ${ed}\n`);
    await runProgram("ssh-keygen", ["-H", "-f", file]);
    await works(sshd, { knownHostsFiles: ["/harness/none", file] });
    assert.equal(await refusalReason(sshd, { knownHostsFiles: [] }), "host_key_unknown");
  },
});

Deno.test({
  name: "connectSsh: reports a changed key with both fingerprints",
  ignore,
  fn: async () => {
    await using old = await startSshd();
    const knownHosts = `# a comment\n${await Deno.readTextFile(old.knownHostsFile)}`;
    const { port } = old;
    const [, oldBase64 = ""] = (old.hostKeys[0] ?? "").split(" ");
    await old.stopListening();
    await using changed = await startSshd({ port });
    await Deno.writeTextFile(`${changed.dir}/kh`, knownHosts);
    const policies = ["strict", "accept-new"] as const;
    for (const hostKeyPolicy of policies) {
      const options = { knownHostsFiles: [`${changed.dir}/kh`], hostKeyPolicy };
      const error = await refusal(changed, options);
      assert.equal(error.details?.reason, "host_key_changed");
      assert.match(error.message, /CHANGED/);
      assert.ok(error.message.includes(`${changed.dir}/kh:2`), error.message);
      const digest = await crypto.subtle.digest("SHA-256", Buffer.from(oldBase64, "base64"));
      const print = `SHA256:${Buffer.from(digest).toString("base64").replace(/=+$/, "")}`;
      assert.ok(error.message.includes(print), error.message);
    }
    assert.equal(await Deno.readTextFile(`${changed.dir}/kh`), knownHosts, "nothing is recorded");
  },
});

Deno.test({
  name: "connectSsh: a key of an unrecorded type counts as changed",
  ignore,
  fn: async () => {
    await using sshd = await startSshd({ hostKeyTypes: ["ed25519"] });
    await using other = await startSshd({ hostKeyTypes: ["ecdsa"] });
    const text = `[127.0.0.1]:${sshd.port} ${other.hostKeys[0]}\n`;
    await Deno.writeTextFile(`${sshd.dir}/kh`, text);
    const options = { knownHostsFiles: [`${sshd.dir}/kh`], hostKeyPolicy: "accept-new" } as const;
    assert.equal(await refusalReason(sshd, options), "host_key_changed");
  },
});

Deno.test({
  name: "connectSsh: accept-new records once, refuses a changed key",
  ignore,
  fn: async () => {
    await using sshd = await startSshd();
    const file = `${sshd.dir}/sub/kh`;
    const options = { knownHostsFiles: [file], hostKeyPolicy: "accept-new" } as const;
    assert.equal(await refusalReason(sshd, { knownHostsFiles: [file] }), "host_key_unknown");
    await assert.rejects(Deno.stat(file), "strict records nothing");
    await Promise.all([works(sshd, options), works(sshd, options), works(sshd, options)]);
    const expected = `[127.0.0.1]:${sshd.port} ${sshd.hostKeys[0]}\n`;
    assert.equal(await Deno.readTextFile(file), expected);
    assert.equal(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
    await works(sshd, { knownHostsFiles: [file] });
    const { port } = sshd;
    await sshd.stopListening();
    await using changed = await startSshd({ port });
    assert.equal(await refusalReason(changed, options), "host_key_changed");
    assert.equal(await Deno.readTextFile(file), expected);
  },
});

Deno.test({
  name: "connectSsh: sends nothing before the host key is accepted",
  ignore,
  fn: async () => {
    await using sshd = await startSshd({ config: ["LogLevel DEBUG2"] });
    await using proxy = new TcpProxy(sshd.port);
    const error = await refusal({
      host: sshd.host,
      port: proxy.port,
      user: sshd.user,
      identityFile: sshd.identityFile,
      knownHostsFile: "/harness/none",
    });
    assert.equal(error.details?.reason, "host_key_unknown");
    await eventually(() => /(closed|reset|disconnect)/i.test(sshd.log()), "sshd has seen the end");
    assert.doesNotMatch(sshd.log(), /userauth-request|SSH2_MSG_NEWKEYS received/);
    // What is sent before: our version, the offer, the key exchange. It is all in clear text so far.
    const sent = Buffer.concat(proxy.sent).toString("latin1");
    assert.match(sent, /^SSH-2\.0-/);
    assert.ok(!sent.includes("ssh-userauth") && !sent.includes("publickey"));
  },
});
