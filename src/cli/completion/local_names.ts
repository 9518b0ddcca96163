/**
 * Names on this machine: hosts of ssh_config and known_hosts, package files.
 *
 * @module
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expandHome, hostAliases } from "../../executor/ssh/config.ts";
import { readKnownHosts } from "../../executor/ssh/known_hosts_file.ts";
import type { Candidate } from "./candidate.ts";

/** Files that ssh reads by itself. */
const CONFIG_FILES = ["~/.ssh/config", "/etc/ssh/ssh_config"];
const KNOWN_HOSTS_FILES = ["~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"];

/** Hosts that ssh knows by name. Hashed names and patterns are none. */
export async function sshHosts(): Promise<Candidate[]> {
  const [aliases, known] = await Promise.all([
    hostAliases(CONFIG_FILES.map((file) => expandHome(file))).catch(() => []),
    readKnownHosts(KNOWN_HOSTS_FILES.map((file) => expandHome(file))).catch(() => null),
  ]);
  const names = (known?.entries ?? []).flatMap(({ hosts, marker }) =>
    "patterns" in hosts && marker === null ? hosts.patterns : []
  );
  return [
    ...aliases.map((value) => ({ value, about: "ssh_config" })),
    ...names.filter((name) => !/[*?!]/.test(name))
      .map((name) => ({ value: name.replace(/^\[([^:\]]+)\]:/, "$1:"), about: "known_hosts" })),
  ];
}

/** Package files and directories for a half-typed path. */
export async function packageFiles(typed: string): Promise<Candidate[]> {
  const shown = typed.slice(0, typed.lastIndexOf("/") + 1);
  const entries = await readdir(expandHome(shown === "" ? "." : shown, "."), {
    withFileTypes: true,
  }).catch(() => []);
  const isHidden = (name: string) =>
    name.startsWith(".") && !typed.slice(shown.length).startsWith(".");
  const names = entries.filter(({ name }) => !isHidden(name));
  // In no order on a disk; fish and PowerShell show what they get.
  return names.sort((a, b) => a.name < b.name ? -1 : 1).flatMap((entry) => {
    const value = join(shown, entry.name);
    if (entry.isDirectory()) return [{ value: `${value}/`, about: "directory" }];
    return entry.name.endsWith(".tar.gz") ? [{ value, about: "package file" }] : [];
  });
}
