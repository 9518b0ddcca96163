/** A real ssh-agent with a socket of its own. */
import assert from "node:assert/strict";

/** A running agent. */
export interface Agent extends AsyncDisposable {
  /** What `SSH_AUTH_SOCK` would be. */
  readonly socket: string;
  /** Hands it a key file. */
  add(keyFile: string): Promise<void>;
}

/** Starts an agent whose socket is in `dir`. */
export async function startAgent(dir: string): Promise<Agent> {
  const socket = `${dir}/agent.sock`;
  const child = new Deno.Command("ssh-agent", {
    args: ["-D", "-a", socket],
    stdout: "null",
    stderr: "null",
  }).spawn();
  while (!await Deno.stat(socket).then(() => true, () => false)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    socket,
    add: async (keyFile) => {
      const { success, stderr } = await new Deno.Command("ssh-add", {
        args: ["-q", keyFile],
        env: { SSH_AUTH_SOCK: socket },
        stdin: "null",
      }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}
