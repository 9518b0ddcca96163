/**
 * Rules for clients without a token on entries.
 *
 * It may keep entries of services that others run. Entries that this server deployed, started or is asked to
 * start are off limits: otherwise the next start, cascade or deployment would run what it wrote there.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { CheckedServiceInput, ServiceEntry } from "../../model/service.ts";
import type { ActionParams } from "../../protocol/actions.ts";
import { anonymousRefusal } from "../access/rights.ts";
import { runOf } from "../access/vouched_entries.ts";
import type { ActionBackends, ActionContext } from "./action_handler.ts";

/** Whether an entry is the server's own or was registered with the token. */
function isTrusted({ services, vouched }: ActionBackends, id: string): boolean {
  return vouched === undefined || vouched.has(id) || services?.ownership?.manages(id) === true;
}

/**
 * Checks that the name in a `service_action` means a trusted instance; returns the params.
 *
 * @throws {HarnessError} `ambiguous` for a name by which a client without a token registered an instance of
 * its own beside a trusted one: an id has precedence over a name.
 */
export function trustedInstance(
  params: ActionParams<"service_action">,
  backends: ActionBackends,
): ActionParams<"service_action"> {
  const { registry, vouched } = backends;
  if (vouched === undefined) return params;
  const entry = registry.get(params.name);
  if (isTrusted(backends, entry.id)) return params;
  const others = registry.list({ name: params.name })
    .filter(({ id }) => id !== entry.id && isTrusted(backends, id));
  if (others.length === 0) return params;
  throw new HarnessError(
    "ambiguous",
    `Cannot ${params.action} "${params.name}": ${entry.id} was registered by a client without a token, ` +
      `and there is ${others.map(({ id }) => id).join(", ")}; name the one that is meant`,
    { details: { ids: [entry.id, ...others.map(({ id }) => id)] } },
  );
}

/** Refuses registrations of a client without a token that would replace or pose as a trusted entry. */
export function checkAnonymous(
  service: CheckedServiceInput,
  current: ServiceEntry | null,
  backends: ActionBackends,
  { tokenFile }: ActionContext,
): void {
  const { services } = backends;
  const id = service.id ?? service.name;
  // Its endpoints would be resolved as those of a service that this server runs.
  const isManaged = services?.ownership?.manages(id) === true ||
    services?.ownership?.managesName(service.name) === true;
  if (isManaged) {
    const why =
      `this server runs ${service.name}, which a client without a token may not replace ` +
      "or stand beside";
    throw anonymousRefusal(`register ${id}`, tokenFile, why);
  }
  if (backends.vouched?.poses(service) === true) {
    const why = `what was registered as ${id} with the token was something else, and a client ` +
      "without one may not put its own in its place";
    throw anonymousRefusal(`register ${id}`, tokenFile, why);
  }
  if (current === null || !isTrusted(backends, id)) return;
  if (runOf(current) === runOf(service)) return;
  const why = "it was registered with the token, and a client without one may not change how or " +
    "where it is run";
  throw anonymousRefusal(`replace ${id}`, tokenFile, why);
}

/** Refuses a client without a token to touch an instance that this server runs. */
export function requireUnmanaged(
  name: string,
  verb: string,
  { registry, services }: ActionBackends,
  { access, tokenFile }: ActionContext,
): void {
  if (access !== "anonymous") return;
  const { id } = registry.find(name);
  if (services?.ownership?.manages(id) !== true) return;
  const why = "this server runs it, and a client without a token may only keep what others run";
  throw anonymousRefusal(`${verb} ${id}`, tokenFile, why);
}
