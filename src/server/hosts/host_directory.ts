/**
 * Resolves targets, as clients write them, to hosts that can be deployed to and managed.
 *
 * The server itself does not depend on SSH: it is given a {@linkcode HostDirectory}.
 *
 * @module
 */
import type { HostTarget } from "../../deploy/plan.ts";
import type { Target, TargetSpec } from "../../protocol/actions.ts";
import type { Location, ServiceEntry } from "../../model/service.ts";

/** Where releases go on a host, unless another directory is given. */
export const DEFAULT_INSTALL_ROOT = "/opt";

/** A host to deploy to, its location in the registry, and the target that resolves to it again. */
export interface Host extends HostTarget {
  /**
   * Identity of a way to reach a machine: machine, port, login user, identity file, and how root is obtained there.
   * Connections and their monitoring are shared by this key, never by the label. `local`, or a key that begins with
   * `local` and a space, is this machine.
   */
  readonly key: string;
  /** Absolute directory for releases and bookkeeping. */
  readonly installRoot: string;
  /** Location of its services. Only {@linkcode Host.locate} knows the login user for certain. */
  readonly location: Location;
  /** Location of its services in the registry, with the real login user. */
  locate(): Promise<Location>;
  /** The target as data: resolving it again after a restart gives the same host. */
  readonly target: "local" | TargetSpec;
}

/** Finds hosts. */
export interface HostDirectory {
  /**
   * The host of a target, without connecting. `become` is how root was obtained when the target was recorded; it
   * overrides the present flags.
   *
   * @throws {HarnessError} `invalid_params` for an invalid target.
   */
  resolve(target: Target, options?: { become?: "sudo" | null }): Host;
}

/** The target for the location of an entry that this server did not deploy. */
export function targetOf(location: Location): "local" | TargetSpec {
  if (location.type === "local") return "local";
  const port = location.ssh_port === null ? {} : { port: location.ssh_port };
  return { host: location.host, user: location.ssh_user, ...port };
}

/** Whether two locations are the same machine and port. */
export function sameLocation(a: Location, b: Location): boolean {
  if (a.type === "local" || b.type === "local") return a.type === b.type;
  return a.host === b.host && (a.ssh_port ?? 22) === (b.ssh_port ?? 22);
}

/** The part of an instance id after the `@`. */
function hostIdPart(location: Location): string {
  if (location.type === "local") return "local";
  const host = location.host.includes(":") ? `[${location.host}]` : location.host;
  return location.ssh_port === null || location.ssh_port === 22
    ? host
    : `${host}:${location.ssh_port}`;
}

/**
 * The instance id of a service at a location: the id it has there already; else the plain name when it
 * is the only instance; else `name@host`.
 */
export function instanceId(
  entries: readonly ServiceEntry[],
  name: string,
  location: Location,
  hostCount: number,
): string {
  const there = entries.find((e) => e.name === name && sameLocation(e.location, location));
  if (there !== undefined) return there.id;
  const alone = hostCount === 1 && !entries.some((e) => e.name === name);
  return alone ? name : `${name}@${hostIdPart(location)}`;
}
