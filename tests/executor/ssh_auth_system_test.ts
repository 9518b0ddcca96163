import assert from "node:assert/strict";
import { hostname } from "node:os";
import { HarnessError } from "../../src/errors.ts";
import { connectSsh } from "../../src/executor/ssh/connect.ts";
import type { SshOptions } from "../../src/executor/ssh/types.ts";
import { needs } from "../helpers/require.ts";
import { makeKey, runProgram, type Sshd, startSshd } from "../helpers/sshd.ts";
import { isolated } from "./machines.ts";
import { startAgent } from "./ssh_agent.ts";
import { eventually } from "../helpers/raw_client.ts";

const ignore = needs("sshd");

/** Lets a public key in. */
async function allow(sshd: Sshd, publicKey: string): Promise<void> {
  await Deno.writeTextFile(sshd.authorizedKeysFile, `${publicKey}\n`, { append: true });
}

/** Logs in with exactly these options, without the sshd's own key. */
async function logIn(sshd: Sshd, options: SshOptions): Promise<string> {
  const { host, port, user } = sshd;
  await using machine = await connectSsh({ host, port, user }, isolated(sshd, options));
  return (await machine.run({ argv: ["id", "-un"] })).stdout.trim();
}

async function refusal(sshd: Sshd, options: SshOptions): Promise<HarnessError> {
  try {
    assert.fail(`was let in as ${await logIn(sshd, options)}`);
  } catch (error) {
    assert.ok(error instanceof HarnessError, String(error));
    assert.deepEqual([error.code, error.details?.reason, error.details?.step], [
      "unreachable",
      "auth",
      "auth",
    ], error.message);
    return error;
  }
}

Deno.test({
  name: "connectSsh: ed25519, ECDSA and RSA keys",
  ignore,
  fn: async () => {
    await using sshd = await startSshd({ config: ["LogLevel VERBOSE"] });
    for (const type of ["ed25519", "ecdsa", "rsa"] as const) {
      const file = `${sshd.dir}/key_${type}`;
      await allow(sshd, await makeKey(file, { type }));
      assert.equal(await logIn(sshd, { identityFiles: [file] }), sshd.user);
    }
    await eventually(
      () => /Accepted publickey for .* RSA SHA256:/.test(sshd.log()),
      "sshd has said so",
    );
    // An RSA key in the PEM form of older ssh-keygen.
    const pem = `${sshd.dir}/pem`;
    await runProgram("ssh-keygen", [
      "-q",
      "-t",
      "rsa",
      "-b",
      "2048",
      "-m",
      "PEM",
      "-N",
      "",
      "-f",
      pem,
    ]);
    await allow(sshd, (await Deno.readTextFile(`${pem}.pub`)).trim());
    assert.equal(await logIn(sshd, { identityFiles: [pem] }), sshd.user);
  },
});

Deno.test({
  name: "connectSsh: passphrase from options, environment or file",
  ignore,
  fn: async () => {
    await using sshd = await startSshd();
    const file = `${sshd.dir}/locked`;
    await allow(sshd, await makeKey(file, { passphrase: "open sesame" }));
    const identityFiles = [file];
    assert.equal(await logIn(sshd, { identityFiles, passphrase: "open sesame" }), sshd.user);

    const none = await refusal(sshd, { identityFiles });
    assert.match(
      none.message,
      /locked \(encrypted: set \$HARNESS_SSH_PASSPHRASE/,
    );
    const wrong = await refusal(sshd, { identityFiles, passphrase: "open barley" });
    assert.match(wrong.message, /the passphrase is wrong/);
    assert.doesNotMatch(wrong.message, /barley/);

    const passphraseFile = `${sshd.dir}/passphrase`;
    await Deno.writeTextFile(passphraseFile, "open sesame\n");
    const { port, knownHostsFile } = sshd;
    const script = new URL("upload_memory.ts", import.meta.url).pathname;
    const environments = [
      { HARNESS_SSH_PASSPHRASE: "open sesame" },
      { HARNESS_SSH_PASSPHRASE_FILE: passphraseFile },
    ];
    for (const env of environments) {
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", script, String(port), file, knownHostsFile, "1"],
        env,
      }).output();
      const report = new TextDecoder().decode(stdout);
      assert.match(report, /"received":1048576/, new TextDecoder().decode(stderr));
    }
  },
});

Deno.test({
  name: "connectSsh: agent keys, only named ones with IdentitiesOnly",
  ignore,
  fn: async () => {
    await using sshd = await startSshd({ config: ["MaxAuthTries 3"] });
    await using agent = await startAgent(sshd.dir);
    const key = `${sshd.dir}/in_agent`;
    await allow(sshd, await makeKey(key));
    await agent.add(key);
    await Deno.remove(key);
    assert.equal(await logIn(sshd, { agentSocket: agent.socket }), sshd.user);

    // Many other keys in front of it: sshd gives up before ours is tried, unless only ours is.
    await using crowded = await startAgent(await Deno.makeTempDir({ dir: sshd.dir }));
    for (let i = 0; i < 4; i += 1) {
      await makeKey(`${sshd.dir}/other${i}`);
      await crowded.add(`${sshd.dir}/other${i}`);
    }
    await allow(sshd, await makeKey(key + "2"));
    await crowded.add(key + "2");
    await Deno.remove(key + "2");
    const error = await refusal(sshd, { agentSocket: crowded.socket });
    assert.match(error.message, /IdentitiesOnly/);
    const config = `${sshd.dir}/config`;
    await Deno.writeTextFile(config, `Host *\n  IdentitiesOnly yes\n  IdentityFile ${key}2\n`);
    const options = { agentSocket: crowded.socket, sshConfigFile: config };
    assert.equal(await logIn(sshd, options), sshd.user);
  },
});

Deno.test({
  name: "connectSsh: never replaces a named key that is missing",
  ignore,
  fn: async () => {
    await using sshd = await startSshd();
    const { host, port, user, identityFile } = sshd;
    const missing = `${sshd.dir}/nope`;
    const options = isolated(sshd, { identityFiles: [identityFile] });
    await assert.rejects(connectSsh({ host, port, user, identityFile: missing }, options), {
      code: "unreachable",
      message: new RegExp(`${missing} cannot be read on ${hostname()}, .*: there is no such file`),
    });
    assert.deepEqual(sshd.log().match(/Accepted publickey/g), null);
  },
});

Deno.test({
  name: "connectSsh: lists the tried and the unusable keys",
  ignore,
  fn: async () => {
    await using sshd = await startSshd();
    await makeKey(`${sshd.dir}/stranger`);
    await Deno.writeTextFile(`${sshd.dir}/no_key`, "hello\n");
    const error = await refusal(sshd, {
      identityFiles: [`${sshd.dir}/stranger`, `${sshd.dir}/no_key`, `${sshd.dir}/missing`],
      agentSocket: `${sshd.dir}/no-agent.sock`,
    });
    assert.match(error.message, /stranger \(SHA256:/);
    assert.match(error.message, /no_key \(/);
    assert.match(error.message, /missing \(cannot be read: /);
    assert.match(error.message, /the server accepts publickey/);
    assert.match(error.message, /authorized_keys/);
    const nothing = await refusal(sshd, { identityFiles: [`${sshd.dir}/missing`] });
    assert.match(nothing.message, /no key was tried/);
  },
});
