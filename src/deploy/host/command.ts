/**
 * The scripts of this folder as commands. Pure: data for an executor.
 *
 * Scripts are constants: whatever varies comes in as positional parameters, so nothing needs quoting. They run in
 * dash, bash, ksh and BusyBox ash. Names: `d_…` are functions and scratch variables, `l_…` is what the lock file holds.
 *
 * The lock is one line, `token|boot id|expires|ttl|deployment|since|owner`, replaced by rename. `expires` counts
 * seconds since the host's boot, so no clock matters. Every change of it happens under `lock.mutex`, which a script
 * on the host itself holds for milliseconds and whose holder is known by pid.
 *
 * @module
 */
import type { Command } from "../../executor/executor.ts";
import type { HostLayout } from "./layout.ts";
import library from "./library.sh" with { type: "text" };

/** Functions for every script: the lock, and how it is checked. */
export const HOST_LIBRARY: string = library;

/** What every command on a host needs. */
export interface HostPlace {
  /** Paths of the service on the host. */
  layout: HostLayout;
  /** Token of our lock. */
  token: string;
}

/** The scripts of this folder by name. */
export type HostScript =
  | "acquire"
  | "clear_staging"
  | "commit"
  | "configure"
  | "extract"
  | "facts"
  | "forget_recovery"
  | "give_dirs"
  | "write_recovery"
  | "prune"
  | "record"
  | "recover"
  | "release"
  | "renew"
  | "same_env"
  | "switch"
  | "switch_back"
  | "upload"
  | "verify";

/** A script of this folder as a command. */
export function hostCommand(
  place: HostPlace,
  name: HostScript,
  script: string,
  args: readonly (string | number)[] = [],
): Command {
  return {
    name: `deploy/${name}`,
    script: HOST_LIBRARY + script,
    args: [place.layout.root, place.layout.base, place.token, ...args.map(String)],
  };
}
