/** A real ssh-agent with a socket of its own. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/raw_client.ts";

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
  // Its socket is there before it listens on it.
  const listens = async () => {
    try {
      (await Deno.connect({ transport: "unix", path: socket })).close();
      return true;
    } catch {
      return false;
    }
  };
  await eventually(listens, "the agent listens");
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
