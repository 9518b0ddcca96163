/**
 * Targets, options, hops, and the steps and reasons of connection errors.
 *
 * @module
 */

/** A machine to connect to. Missing values come from ssh_config, then from the defaults of ssh. */
export interface SshTarget {
  /** Host name, address, or a `Host` of ssh_config. */
  host: string;
  /** User to log in as. @default {the user of this process} */
  user?: string | undefined;
  /** TCP port. @default {22} */
  port?: number | undefined;
  /** Private key to use, before those of ssh_config. It must exist: it is not silently replaced by another one. */
  identityFile?: string;
}

/** Policies for unknown host keys; the first is the default. */
export const HOST_KEY_POLICIES = ["strict", "accept-new"] as const;

/** What to do with a host that no known_hosts file knows. A changed or revoked key is always refused. */
export type HostKeyPolicy = (typeof HOST_KEY_POLICIES)[number];

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
  /** Passphrase of encrypted keys. @default {$HARNESS_SSH_PASSPHRASE, or the content of the file $HARNESS_SSH_PASSPHRASE_FILE} */
  passphrase?: string;
  /** Socket of ssh-agent; `null` uses none. @default {$SSH_AUTH_SOCK} */
  agentSocket?: string | null;
  /** Timeout for each hop to connect and log in. @default {SSH_CONNECT_TIMEOUT_MS} */
  connectTimeoutMs?: number;
  /** Attempts when the server drops the connection before the key exchange. @default {SSH_CONNECT_ATTEMPTS} */
  connectAttempts?: number;
  /** Concurrent commands on the connection. @default {SSH_MAX_CHANNELS} */
  maxChannels?: number;
  /** Interval of keepalives. @default {SSH_KEEPALIVE_MS} */
  keepaliveMs?: number;
  /** Ciphers to offer, best first. @default {CIPHERS} */
  ciphers?: readonly string[];
  /** Aborts connecting. */
  signal?: AbortSignal;
}

/** One machine of a route: the last is the target, those before it are jump hosts. */
export interface Hop {
  /** Name for messages. */
  label: string;
  /** Name or address to connect to. */
  address: string;
  /** TCP port. */
  port: number;
  /** User to log in as. */
  user: string;
  /** Name under which its key is looked up, and the plain name that is tried next. */
  keyNames: readonly [string, ...string[]];
  /** known_hosts files; the first is where new keys go. */
  knownHostsFiles: readonly string[];
  /** What to do when its key is unknown. */
  hostKeyPolicy: HostKeyPolicy;
  /** Named private keys, best first. */
  identityFiles: readonly string[];
  /** Private keys to try when none is named. */
  defaultIdentityFiles: readonly string[];
  /** Whether the agent may only use keys of `identityFiles`. */
  identitiesOnly: boolean;
  /** Socket of ssh-agent, or `null`. */
  agentSocket: string | null;
  /** Passphrase of encrypted keys, or `null`. */
  passphrase: string | null;
}

/** `details.reason` of an `unreachable` error. */
export type UnreachableReason =
  | "refused"
  | "timeout"
  | "dns"
  | "reset"
  | "host_key_unknown"
  | "host_key_changed"
  | "host_key_revoked"
  | "auth"
  | "closed";

/** `details.step` of an `unreachable` error: the step that failed. */
export type ConnectStep = "connect" | "handshake" | "host_key" | "auth" | "run";
