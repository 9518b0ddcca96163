/**
 * The errors of the registry.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { ServiceEntry } from "../model/service.ts";

/** A second registration of an id. */
export function alreadyExists({ id, revision }: ServiceEntry): HarnessError {
  return new HarnessError(
    "already_exists",
    `Cannot register "${id}": it is already registered; replace it or choose another id`,
    { details: { reason: "already_registered", id, revision } },
  );
}

/** A registration beyond the limit. */
export function full(id: string, max: number): HarnessError {
  return new HarnessError(
    "too_large",
    `Cannot register "${id}": the registry is full with ${max} services`,
    { details: { id, max_services: max } },
  );
}

/** A heartbeat of an entry that was registered without `ttl_ms`. */
export function noLease(id: string): HarnessError {
  return new HarnessError(
    "invalid_params",
    `Cannot renew the lease of "${id}": it was registered without a ttl_ms`,
    { details: { id } },
  );
}

/** A change on condition of a revision that is not the entry's. */
export function otherRevision({ id, revision }: ServiceEntry, ifRevision: number): HarnessError {
  return new HarnessError(
    "conflict",
    `Cannot change "${id}": its revision is ${revision}, not ${ifRevision}; read it again`,
    { details: { id, revision, if_revision: ifRevision } },
  );
}

/** The error for a service that is not registered. */
export function notFound(nameOrId: string): HarnessError {
  return new HarnessError(
    "not_found",
    `Cannot find service "${nameOrId}": it is not registered`,
    { details: { reason: "service_unknown", name: nameOrId } },
  );
}
