/**
 * From a target as a client writes it to a host that can be deployed to and controlled.
 *
 * The server does not know SSH: whoever wires it gives it a {@linkcode HostDirectory}.
 *
 * @module
 */
import type { HostTarget } from "../../deploy/plan.ts";
import type { Target, TargetSpec } from "../../protocol/actions.ts";
import type { Location, ServiceEntry } from "../../model/service.ts";

/** A host: what deploy needs of it, where the registry says it is, and how to find it again. */
export interface Host extends HostTarget {
  /**
   * What tells one way to reach a machine from another: machine, port, login user, identity file, and whether root is
   * become there. Connections, and what watches over them, are shared by this and never by the label. `local`, or
   * `local` and a space first, is this machine.
   */
  readonly key: string;
  /** Absolute directory below which releases and bookkeeping go. */
  readonly installRoot: string;
  /** Where its services run. Who logs in there is known for sure to {@linkcode Host.locate} only. */
  readonly location: Location;
  /** Where the registry says that its services run, with the user that really logs in. */
  locate(): Promise<Location>;
  /** The target as data: resolving it again after a restart gives the same host. */
  readonly target: "local" | TargetSpec;
}

/** Finds hosts. */
export interface HostDirectory {
  /**
   * The host of a target. Makes no connection. `become` is how root was become when the target was recorded, in place
   * of what the flags say now.
   *
   * @throws {HarnessError} `invalid_params` for a target that cannot be read.
   */
  resolve(target: Target, options?: { become?: "sudo" | null }): Host;
}

/** The target at which an entry that was not deployed by us is found. */
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
