/** The kinds of machine that the contract tests run against. */
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { connectSsh } from "../../src/executor/ssh/connect.ts";
import type { SshOptions } from "../../src/executor/ssh/types.ts";
import { MemoryHost } from "../helpers/memory_host/host.ts";
import { type Sshd, startSshd } from "../helpers/sshd.ts";
import { needs } from "../helpers/require.ts";

/** A machine to test against, and what has to be there for it. */
export interface Machine {
  name: string;
  ignore: boolean;
  /** Whether it has a shell. @default {true} */
  shell?: boolean;
  open(): Promise<OpenMachine>;
}

/** A machine that is reached. */
export interface OpenMachine extends AsyncDisposable {
  executor: Executor;
}

/** Options that keep a test away from the developer's own ssh set-up. */
export function isolated(
  sshd: Pick<Sshd, "knownHostsFile">,
  options: SshOptions = {},
): SshOptions {
  return {
    knownHostsFiles: [sshd.knownHostsFile],
    sshConfigFile: null,
    agentSocket: null,
    connectAttempts: 1,
    ...options,
  };
}

/** Connects to a test's sshd with its own key. */
export function connectTo(
  sshd: Pick<Sshd, "host" | "port" | "user" | "identityFile" | "knownHostsFile">,
  options: SshOptions = {},
): Promise<Executor> {
  const { host, port, user, identityFile } = sshd;
  return connectSsh({ host, port, user, identityFile }, isolated(sshd, options));
}

function openLocal(): Promise<OpenMachine> {
  const executor = localExecutor();
  return Promise.resolve({
    executor,
    [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose](),
  });
}

async function openSsh(): Promise<OpenMachine> {
  await using stack = new AsyncDisposableStack();
  const sshd = stack.use(await startSshd());
  const executor = stack.use(await connectTo(sshd));
  const opened = stack.move();
  return { executor, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** This machine, reached without anything. */
export const LOCAL: Machine = { name: "local", ignore: false, open: openLocal };

/** The simulated host of the quick tests. */
export const MEMORY: Machine = {
  name: "memory",
  ignore: false,
  shell: false,
  open: async () => {
    const executor = await new MemoryHost().connect();
    return { executor, [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose]() };
  },
};

/** This machine over a real sshd. */
export const SSH: Machine = {
  name: "ssh",
  // Asked for only where it is used: a quick test needs no sshd.
  get ignore() {
    return needs("sshd");
  },
  open: openSsh,
};

/** Whether a process is there, zombies not counted. Both machines of these tests are this one. */
export function isAlive(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !/\) Z /.test(stat);
  } catch {
    return false;
  }
}
