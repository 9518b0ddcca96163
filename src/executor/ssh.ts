/**
 * Commands on another machine over one SSH connection.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { Executor } from "./executor.ts";

/** A machine to connect to. What is left out comes from ssh_config, then from the defaults of ssh. */
export interface SshTarget {
  /** Host name, address, or a `Host` of ssh_config. */
  host: string;
  /** User to log in as. @default {the user we are} */
  user?: string;
  /** TCP port. @default {22} */
  port?: number;
  /** Private key to use, before those of ssh_config. */
  identityFile?: string;
}

/** What to do with a host that no known_hosts file knows. A changed or revoked key is always refused. */
export type HostKeyPolicy = "strict" | "accept-new";

/** Options for {@linkcode connectSsh}. */
export interface SshOptions {
  /** known_hosts files; the first is where `accept-new` adds to. @default {as in ssh_config, or ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts} */
  knownHostsFiles?: readonly string[];
  /** What to do with an unknown host. @default {"strict"} */
  hostKeyPolicy?: HostKeyPolicy;
  /** ssh_config to read; `null` reads none. @default {~/.ssh/config and /etc/ssh/ssh_config} */
  sshConfigFile?: string | null;
  /** Private keys to try before those of ssh_config. */
  identityFiles?: readonly string[];
  /** Passphrase of encrypted keys. @default {$HARNESS_SSH_PASSPHRASE, or what is in the file $HARNESS_SSH_PASSPHRASE_FILE} */
  passphrase?: string;
  /** Socket of ssh-agent; `null` uses none. @default {$SSH_AUTH_SOCK} */
  agentSocket?: string | null;
  /** Time for each hop to connect and log in. @default {SSH_CONNECT_TIMEOUT_MS} */
  connectTimeoutMs?: number;
  /** Tries when a server drops us before the key exchange. @default {SSH_CONNECT_ATTEMPTS} */
  connectAttempts?: number;
  /** Commands at once on the connection. @default {SSH_MAX_CHANNELS} */
  maxChannels?: number;
  /** Pause between keepalives. @default {SSH_KEEPALIVE_MS} */
  keepaliveMs?: number;
  /** Ciphers to offer, best first. @default {CIPHERS} */
  ciphers?: readonly string[];
  /** Gives up connecting. */
  signal?: AbortSignal;
}

/**
 * Connects to a machine.
 *
 * @param target The machine.
 * @param options How to connect.
 * @returns An executor; disposing it closes the connection.
 * @throws {HarnessError} `unreachable` with details `{host, step, reason}`.
 */
export function connectSsh(target: SshTarget, _options: SshOptions = {}): Promise<Executor> {
  return Promise.reject(
    new HarnessError("unavailable", `Cannot connect to ${target.host}: not written yet`),
  );
}
