/**
 * Where a service can be reached now.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { Endpoint, ServiceEntry } from "../model/service.ts";

/** Whether an instance may be sent requests: it runs, and its last health check, if any, passed. */
export function isUsable(entry: ServiceEntry): boolean {
  return entry.state === "running" && entry.last_health_check?.healthy !== false;
}

/**
 * The endpoints of the usable ones among the instances of a service.
 *
 * @throws {HarnessError} `not_found` when usable instances have no endpoint of this name, `unavailable`
 * when no instance is usable.
 */
export function resolveEndpoints(
  service: string,
  instances: readonly ServiceEntry[],
  endpoint?: string,
): Array<Endpoint & { id: string }> {
  const usable = instances.filter(isUsable);
  const found = usable.flatMap(({ id, endpoints }) =>
    endpoints
      .filter(({ name }) => endpoint === undefined || name === endpoint)
      .map((e) => ({ id, ...e }))
  );
  if (found.length > 0) return found;
  if (usable.length === 0) {
    const why = instances.slice(0, 3).map(whyUnusable).join(", ") +
      (instances.length > 3 ? ` and ${instances.length - 3} more` : "");
    throw new HarnessError(
      "unavailable",
      `Cannot resolve "${service}": no instance is running and healthy (${why})`,
      { details: { service, instances: instances.length } },
    );
  }
  const names = [...new Set(usable.flatMap((e) => e.endpoints.map(({ name }) => name)))].sort();
  if (endpoint === undefined || names.length === 0) {
    throw new HarnessError(
      "unavailable",
      `Cannot resolve "${service}": its running instances have no endpoints; add them with update_service`,
      { details: { service, instances: instances.length } },
    );
  }
  throw new HarnessError(
    "not_found",
    `Cannot resolve endpoint "${endpoint}" of "${service}": it has ${names.join(", ")}`,
    { details: { service, endpoint, endpoints: names } },
  );
}

function whyUnusable({ id, state, state_reason, last_health_check }: ServiceEntry): string {
  const reason = state === "running" ? last_health_check?.message : state_reason;
  const what = state === "running" ? "unhealthy" : state;
  return reason === null || reason === undefined ? `${id}: ${what}` : `${id}: ${what}, ${reason}`;
}
