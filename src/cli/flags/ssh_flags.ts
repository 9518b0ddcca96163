/**
 * Flags for connecting to hosts, and for the install root on them.
 *
 * @module
 */
import { resolve as absolute } from "node:path";
import { DEFAULT_INSTALL_ROOT } from "../../server/hosts/host_directory.ts";
import type { SshHostDirectoryOptions } from "../../server/hosts/ssh_directory.ts";
import { HOST_KEY_POLICIES } from "../../executor/ssh/types.ts";
import {
  choiceFlag,
  type FlagTable,
  type FlagValues,
  listFlag,
  optionalChoiceFlag,
  textFlag,
  valueFlag,
} from "./flags.ts";

/** Flags of `serve`, `doctor` and everything with `--direct`. */
export const SSH_FLAGS = {
  identity: listFlag("file", {
    env: "HARNESS_IDENTITY",
    help: "private key for SSH; default: as in ssh_config",
  }, (text) => text),
  knownHosts: textFlag("file", {
    env: "HARNESS_KNOWN_HOSTS",
    help: "known_hosts file; default: as ssh does",
  }),
  hostKeyPolicy: choiceFlag(HOST_KEY_POLICIES, {
    env: "HARNESS_HOST_KEY_POLICY",
    help: "whether the key of a host never seen before is accepted",
  }),
  sshConfig: textFlag("file", {
    env: "HARNESS_SSH_CONFIG",
    help: "ssh_config file, none for none (default: ~/.ssh/config)",
  }),
  installRoot: valueFlag<string>("dir", {
    env: "HARNESS_INSTALL_ROOT",
    help: "where releases go on a host",
    fallback: DEFAULT_INSTALL_ROOT,
    shownDefault: DEFAULT_INSTALL_ROOT,
  }, absolutePath),
  become: optionalChoiceFlag("sudo", ["sudo"], {
    env: "HARNESS_BECOME",
    help: "become root by sudo -n on the hosts",
  }),
} satisfies FlagTable;

/** The values of {@linkcode SSH_FLAGS}. */
export type SshFlags = FlagValues<typeof SSH_FLAGS>;

/** Maps the flags to the options of the host directory; files are relative to the directory at start. */
export function hostDirectoryOptions(flags: SshFlags): SshHostDirectoryOptions {
  const { hostKeyPolicy, identity, knownHosts, sshConfig, installRoot, become } = flags;
  return {
    ssh: {
      hostKeyPolicy,
      ...(identity.length === 0 ? {} : { identityFiles: identity.map((file) => absolute(file)) }),
      ...(knownHosts === null ? {} : { knownHostsFiles: [absolute(knownHosts)] }),
      ...(sshConfig === null
        ? {}
        : { sshConfigFile: sshConfig === "none" ? null : absolute(sshConfig) }),
    },
    installRoot,
    become,
  };
}

function absolutePath(text: string): string {
  if (!/^\/[^\0]*$/.test(text) || text.split("/").includes("..")) {
    throw new Error("must be an absolute path without ..");
  }
  return text.length > 1 ? text.replace(/(?<!\/)\/+$/, "") : text;
}
