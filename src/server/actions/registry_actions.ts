/**
 * The actions that change the registry, and what a client without a token may not do with them.
 *
 * It may keep entries of services that somebody else runs. What this server deployed, started or is asked
 * to start is not its: otherwise the next start, cascade or deployment would do what it wrote there.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { ActionData, ActionParams } from "../../protocol/actions.ts";
import type { ServiceEntry, ServiceInput } from "../../model/service.ts";
import type { ActionBackends, ActionContext } from "./actions.ts";
import { anonymousRefusal } from "../access/rights.ts";
import { runOf } from "../access/vouched_entries.ts";

/** `register_service`. */
export async function register(
  { service, replace = false }: ActionParams<"register_service">,
  backends: ActionBackends,
  context: ActionContext,
): Promise<ServiceEntry> {
  const { registry, vouched } = backends;
  const id = service.id ?? service.name;
  let isNewlyVouched = false;
  // Decided where nobody can come between: else what was checked would not be what is replaced.
  const admit = (current: ServiceEntry | null) => {
    if (context.access === "anonymous") return checkAnonymous(service, current, backends, context);
    isNewlyVouched = vouched?.has(id) === false;
    vouched?.add(id);
  };
  try {
    const entry = await registry.register(service, { replace, admit });
    if (context.access === "anonymous") vouched?.readd(entry);
    return entry;
  } catch (error) {
    if (isNewlyVouched) vouched?.remove(id);
    throw error;
  }
}

/** `update_service`. */
export function update(
  params: ActionParams<"update_service">,
  backends: ActionBackends,
  context: ActionContext,
): Promise<ServiceEntry> {
  const { name, if_revision, ...patch } = params;
  requireUnmanaged(name, "change", backends, context);
  return backends.registry.update(name, patch, { ifRevision: if_revision });
}

/** `deregister_service`. */
export async function deregister(
  { name, if_revision }: ActionParams<"deregister_service">,
  backends: ActionBackends,
  context: ActionContext,
): Promise<ActionData<"deregister_service">> {
  requireUnmanaged(name, "remove", backends, context);
  const { registry, vouched } = backends;
  const entry = registry.get(name);
  // First: there is no moment in which something else could come in its place.
  if (context.access === "anonymous") vouched?.removeWithoutToken(entry);
  try {
    await registry.deregister(entry.id, { ifRevision: if_revision });
  } catch (error) {
    vouched?.readd(entry);
    throw error;
  }
  if (context.access !== "anonymous") vouched?.remove(entry.id);
  return { removed: true };
}

/** `heartbeat`. */
export function heartbeat(
  { name }: ActionParams<"heartbeat">,
  backends: ActionBackends,
  context: ActionContext,
): Promise<ActionData<"heartbeat">> {
  requireUnmanaged(name, "send a heartbeat for", backends, context);
  return backends.registry.heartbeat(name);
}

/** Whether an entry is the server's own or was registered with the token. */
export function isTrusted({ services, vouched }: ActionBackends, id: string): boolean {
  return vouched === undefined || vouched.has(id) || services?.ownership?.manages(id) === true;
}

/**
 * The params of a `service_action`, with the instance that is meant.
 *
 * @throws {HarnessError} `ambiguous` for a name by which a client without a token registered an instance of
 * its own beside one that is trusted: an id goes before a name.
 */
export function startable(
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

/** What a client without a token may not register. */
function checkAnonymous(
  service: ServiceInput,
  current: ServiceEntry | null,
  backends: ActionBackends,
  { tokenFile }: ActionContext,
): void {
  const { services } = backends;
  const id = service.id ?? service.name;
  // Its endpoints would be given out as those of what this server runs.
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

function requireUnmanaged(
  name: string,
  verb: string,
  { registry, services }: ActionBackends,
  { access, tokenFile }: ActionContext,
): void {
  if (access !== "anonymous") return;
  const { id } = registry.get(name);
  if (services?.ownership?.manages(id) !== true) return;
  const why = "this server runs it, and a client without a token may only keep what others run";
  throw anonymousRefusal(`${verb} ${id}`, tokenFile, why);
}
