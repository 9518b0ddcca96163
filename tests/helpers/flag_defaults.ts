/** The SSH flags as they are when none is given, without looking into the developer's own ~/.ssh. */
import type { SshFlags } from "../../src/cli/session/ssh_directory.ts";

/** Defaults of the SSH flags. */
export const FLAG_DEFAULTS: SshFlags = {
  identity: [],
  knownHosts: null,
  hostKeyPolicy: "strict",
  sshConfig: "none",
  installRoot: "/opt",
  become: null,
};
