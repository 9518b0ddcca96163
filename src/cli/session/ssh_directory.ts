/**
 * Finds hosts: turns a target and the SSH flags into something that can be connected to.
 *
 * The server and deploy do not know SSH; this is what they are given.
 *
 * @module
 */
import { userInfo } from "node:os";
import { resolve as absolute } from "node:path";
import { localExecutor } from "../../executor/local.ts";
import { connectSsh, type SshOptions } from "../../executor/ssh/connect.ts";
import { loginUser } from "../../executor/ssh/route.ts";
import type { Target, TargetSpec } from "../../protocol/actions.ts";
import type { Host, HostDirectory } from "../../server/hosts/host_directory.ts";
import type { FlagValues } from "../flags/flags.ts";
import type { SSH_FLAGS } from "../flags/ssh_flags.ts";
import { parseTarget, targetLabel } from "../flags/targets.ts";

/** The values of the SSH flags. */
export type SshFlags = FlagValues<typeof SSH_FLAGS>;

/** Address of this machine for services that run on it. */
const LOCAL_ADDRESS = "127.0.0.1";

/** The hosts as the SSH flags say they are reached. Makes no connection. */
export function hostDirectory(flags: SshFlags): HostDirectory {
  const options = sshOptions(flags);
  return {
    resolve(target: Target, { become = flags.become } = {}): Host {
      const spec = parseTarget(target);
      const given = { ...flags, become };
      return spec === "local" ? localHost(given) : remoteHost(spec, given, options);
    },
  };
}

/** How SSH connects, as the flags say. */
export function sshOptions(flags: SshFlags): SshOptions {
  return {
    hostKeyPolicy: flags.hostKeyPolicy,
    ...(flags.identity.length === 0 ? {} : { identityFiles: flags.identity.map(inOurDirectory) }),
    ...(flags.knownHosts === null ? {} : { knownHostsFiles: [inOurDirectory(flags.knownHosts)] }),
    ...(flags.sshConfig === null
      ? {}
      : { sshConfigFile: flags.sshConfig === "none" ? null : inOurDirectory(flags.sshConfig) }),
  };
}

function localHost(flags: SshFlags): Host {
  return {
    label: "local",
    key: ["local", ...flags.become === null ? [] : [flags.become]].join(" "),
    target: "local",
    connect: () => Promise.resolve(localExecutor()),
    installRoot: flags.installRoot,
    become: flags.become,
    address: LOCAL_ADDRESS,
    location: { type: "local" },
    locate: () => Promise.resolve({ type: "local" }),
  };
}

function remoteHost(spec: TargetSpec, flags: SshFlags, options: SshOptions): Host {
  const { host, user, port, identity_file } = spec;
  const target = {
    host,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
    ...(identity_file === undefined ? {} : { identityFile: identity_file }),
  };
  const location = {
    type: "remote" as const,
    host,
    ssh_user: user ?? userInfo().username,
    ssh_port: port ?? null,
  };
  const become = spec.become ?? flags.become;
  return {
    label: targetLabel(spec),
    // For people, too. Only the last word can hold a space.
    key: [
      targetLabel(spec),
      ...become === null ? [] : [become],
      ...identity_file === undefined ? [] : ["with", identity_file],
    ].join(" "),
    target: spec,
    connect: (signal) => connectSsh(target, { ...options, signal }),
    installRoot: spec.install_root ?? flags.installRoot,
    become,
    address: host,
    location,
    // Asked for when a connection worked: ssh_config may name another user. A name is no reason to fail by.
    locate: async () => ({
      ...location,
      ssh_user: await loginUser(target, options).catch(() => location.ssh_user),
    }),
  };
}

/** Paths of flags are relative to where the program was started, also when it changes directory later. */
function inOurDirectory(path: string): string {
  return absolute(path);
}
