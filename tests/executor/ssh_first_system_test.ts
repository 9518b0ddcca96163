/** E1: the first connection of a process, which has hashed nothing yet: each key form, and none. */
import assert from "node:assert/strict";
import type { SshOptions } from "../../src/executor/ssh/types.ts";
import { needs } from "../helpers/require.ts";
import { makeKey, runProgram, type Sshd, startSshd } from "../helpers/sshd.ts";
import { isolated } from "./machines.ts";
import { type Agent, startAgent } from "./ssh_agent.ts";

const ignore = needs("sshd");
const CHILD = new URL("login_child.ts", import.meta.url).pathname;

type Result = { user?: string; reason?: string; step?: string };

/** Logs in from a fresh process. */
async function logIn(sshd: Sshd, options: SshOptions = {}): Promise<Result> {
  const { host, port, user } = sshd;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", CHILD],
      JSON.stringify({ host, port, user }),
      JSON.stringify(isolated(sshd, options)),
    ],
    stdin: "null",
    env: { SSH_AUTH_SOCK: "" },
  }).output();
  const text = new TextDecoder();
  assert.notEqual(stdout.length, 0, text.decode(stderr));
  return JSON.parse(text.decode(stdout));
}

async function allow(sshd: Sshd, publicKey: string): Promise<void> {
  await Deno.writeTextFile(sshd.authorizedKeysFile, `${publicKey}\n`, { append: true });
}

/** A key of each form that `ssh-keygen` writes, each let in: what to log in with. */
async function keyForms(sshd: Sshd, agent: Agent): Promise<Record<string, SshOptions>> {
  const forms: Record<string, SshOptions> = {};
  for (const type of ["ed25519", "ecdsa", "rsa"] as const) {
    for (const passphrase of ["", "open sesame"]) {
      const file = `${sshd.dir}/${type}${passphrase === "" ? "" : "-locked"}`;
      await allow(sshd, await makeKey(file, { type, passphrase }));
      forms[file] = { identityFiles: [file], ...(passphrase === "" ? {} : { passphrase }) };
    }
  }
  const pem = `${sshd.dir}/pem`;
  const words = ["-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", pem];
  await runProgram("ssh-keygen", words);
  await allow(sshd, (await Deno.readTextFile(`${pem}.pub`)).trim());
  forms[pem] = { identityFiles: [pem] };
  const inAgent = `${sshd.dir}/in_agent`;
  await allow(sshd, await makeKey(inAgent));
  await agent.add(inAgent);
  await Deno.remove(inAgent);
  forms["agent"] = { agentSocket: agent.socket };
  return forms;
}

Deno.test({
  name: "connectSsh: first of a process, each key form",
  ignore,
  fn: async () => {
    await using sshd = await startSshd({ config: ["MaxAuthTries 20"] });
    await using agent = await startAgent(sshd.dir);
    for (const [form, options] of Object.entries(await keyForms(sshd, agent))) {
      assert.deepEqual(await logIn(sshd, options), { user: sshd.user }, form);
    }
    // With no key at all the host answers, and says what it wants.
    assert.deepEqual(await logIn(sshd), { reason: "auth", step: "auth" });
    // Hashed names, and a key that is not known yet.
    const known = `${sshd.dir}/hashed`;
    await Deno.copyFile(sshd.knownHostsFile, known);
    await runProgram("ssh-keygen", ["-q", "-H", "-f", known]);
    const fromAgent = { agentSocket: agent.socket };
    assert.deepEqual(await logIn(sshd, { ...fromAgent, knownHostsFiles: [known] }), {
      user: sshd.user,
    });
    const empty = { ...fromAgent, knownHostsFiles: [`${sshd.dir}/empty`] };
    assert.deepEqual(await logIn(sshd, empty), { reason: "host_key_unknown", step: "host_key" });
    assert.deepEqual(await logIn(sshd, { ...empty, hostKeyPolicy: "accept-new" }), {
      user: sshd.user,
    });
  },
});

Deno.test({
  name: "connectSsh: first of a process, each host key and exchange",
  ignore,
  fn: async () => {
    for (const type of ["ed25519", "ecdsa", "rsa"] as const) {
      for (
        const kex of ["curve25519-sha256", "ecdh-sha2-nistp256", "diffie-hellman-group14-sha256"]
      ) {
        await using sshd = await startSshd({
          hostKeyTypes: [type],
          config: [`KexAlgorithms ${kex}`],
        });
        await using agent = await startAgent(sshd.dir);
        await agent.add(sshd.identityFile);
        const options = { agentSocket: agent.socket };
        assert.deepEqual(await logIn(sshd, options), { user: sshd.user }, `${type} ${kex}`);
      }
    }
  },
});
