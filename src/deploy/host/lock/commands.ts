/**
 * Commands that acquire, renew and release the lock and query the facts of a host. Pure: data for an executor.
 *
 * @module
 */
import type { Command } from "../../../executor/executor.ts";
import { include } from "../../../executor/shell/include.ts";
import { OWN_DESCRIPTORS } from "../../../lifecycle/drivers/shell/library.ts";
import { HOST_LIBRARY, hostCommand, type HostPlace } from "../command.ts";
import acquire from "./acquire.sh" with { type: "text" };
import boundary from "./boundary.sh" with { type: "text" };
import facts from "./facts.sh" with { type: "text" };
import recover from "./recover.sh" with { type: "text" };
import release from "./release.sh" with { type: "text" };
import renew from "./renew.sh" with { type: "text" };
import watchdog from "./watchdog.sh" with { type: "text" };

/** Input of facts.sh: what a deployment needs to know of a host. */
export interface FactsQuery {
  /** Directory the release will have, or empty. */
  releaseDir: string;
  /** Digest whose presence in the cache matters, or empty. */
  sha256: string;
  /** User the service runs as, or empty. */
  user: string;
  /** Commands it needs. */
  commands: readonly string[];
  /** Libraries it needs. */
  libraries: readonly string[];
  /** Service type of the manifest, or empty. */
  serviceType: string;
}

const ACQUIRE = boundary + include(acquire, { own_descriptors: OWN_DESCRIPTORS }) + facts;

/**
 * Runs on the host during a deployment, in a session of its own. It exits when the lock is released, and restores the
 * host when the lock expires, which means that the deploying process or the network died.
 */
const WATCHDOG = HOST_LIBRARY + watchdog;

/** Takes the lock, starts the watchdog, empties staging and answers the query. */
export function acquireCommand(
  place: HostPlace,
  lock: { ttlSeconds: number; deploymentId: string; since: string; owner: string },
  query: FactsQuery,
): Command {
  return hostCommand(place, "acquire", ACQUIRE, [
    lock.ttlSeconds,
    lock.deploymentId,
    lock.since,
    lock.owner,
    WATCHDOG,
    ...queryArgs(query),
  ]);
}

/** Undoes an interrupted switch and answers the query. */
export function recoverCommand(place: HostPlace, query: FactsQuery): Command {
  return hostCommand(place, "recover", recover + facts, queryArgs(query));
}

/** Answers the query again: changes nothing. */
export function factsCommand(place: HostPlace, query: FactsQuery): Command {
  return hostCommand(place, "facts", facts, queryArgs(query));
}

/** Renews the lock. */
export function renewCommand(place: HostPlace): Command {
  return hostCommand(place, "renew", renew);
}

/** Removes the temp files and releases the lock; fine when it is gone. */
export function releaseCommand(place: HostPlace): Command {
  return hostCommand(place, "release", release);
}

function queryArgs(query: FactsQuery): string[] {
  return [
    query.releaseDir,
    query.sha256,
    query.user,
    query.commands.join("\n"),
    query.libraries.join("\n"),
    query.serviceType,
  ];
}
