/**
 * Handlers of the actions on the registry.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { CheckedServiceInput, ServiceEntry } from "../../model/service.ts";
import type { ActionData, ActionParams, RegistryActions } from "../../protocol/actions.ts";
import { entryText } from "../../registry/entry_text.ts";
import { outsideScope, requireServiceInScope, type ServiceScope } from "../access/scope.ts";
import { type Answer, JsonText } from "../connection/answers.ts";
import {
  type ActionBackends,
  type ActionContext,
  type ActionHandlers,
  filtered,
} from "./action_handler.ts";
import { isRunning } from "../services/entry_state.ts";
import { checkAnonymous, requireUnmanaged } from "./anonymous_rules.ts";

function named({ name }: { name: string }, scope: ServiceScope, backends: ActionBackends): void {
  requireServiceInScope(name, scope, backends.registry);
}

/** The handlers of the actions on the registry. */
export const REGISTRY_HANDLERS: ActionHandlers<RegistryActions> = {
  list_services: { scope: filtered, run: listServices },
  get_service: {
    scope: named,
    run: ({ name }, { registry }) => new JsonText(registry.find(name).text),
  },
  register_service: { scope: registerScope, run: register, text: entryText },
  update_service: { scope: named, run: update, text: entryText },
  deregister_service: { scope: named, run: deregister },
  heartbeat: {
    scope: named,
    run: ({ name }, backends, context) => {
      requireUnmanaged(name, "send a heartbeat for", backends, context);
      return backends.registry.heartbeat(name);
    },
  },
  list_endpoints: {
    scope: filtered,
    run: (_, { answers }, { scope }) => answers.endpoints(scope),
  },
  resolve_endpoint: {
    scope: ({ service }, scope, { registry }) => requireServiceInScope(service, scope, registry),
    run: ({ service, endpoint }, { registry }) => registry.resolve(service, endpoint),
  },
  get_dependencies: {
    scope: named,
    run: (params, { answers }, { scope }) => answers.dependencies(params, scope),
  },
};

function listServices(
  params: ActionParams<"list_services">,
  { answers }: ActionBackends,
  { scope }: ActionContext,
): Answer {
  const { limit, cursor, ...filter } = params;
  if (limit !== undefined) return answers.page(filter, { limit, cursor }, scope);
  if (cursor === undefined) return answers.list(filter, scope);
  throw new HarnessError(
    "invalid_params",
    "Cannot run list_services: params.cursor needs params.limit",
  );
}

function registerScope(
  { service: { id, name } }: ActionParams<"register_service">,
  scope: ServiceScope,
  { registry }: ActionBackends,
): void {
  if (!scope.covers(name)) throw outsideScope(name);
  // An id that is another service's would take the place of that one's entry, now or later.
  if (id !== undefined) requireServiceInScope(id, scope, registry);
  requireServiceInScope(name, scope, registry);
}

async function register(
  { service, replace = false }: ActionParams<"register_service">,
  backends: ActionBackends,
  context: ActionContext,
): Promise<ServiceEntry> {
  const { registry, vouched } = backends;
  const id = service.id ?? service.name;
  let isNewlyVouched = false;
  // Checked within the registry's own turn: otherwise another entry could come between.
  const admit = (current: ServiceEntry | null, checked: CheckedServiceInput) => {
    if (context.access === "anonymous") return checkAnonymous(checked, current, backends, context);
    isNewlyVouched = vouched?.has(id) === false;
    vouched?.add(id);
  };
  try {
    const entry = await registry.register(service, { replace, admit, isChecked: true });
    if (context.access === "anonymous") vouched?.readd(entry);
    return entry;
  } catch (error) {
    if (isNewlyVouched) vouched?.remove(id);
    throw error;
  }
}

function update(
  params: ActionParams<"update_service">,
  backends: ActionBackends,
  context: ActionContext,
): Promise<ServiceEntry> {
  const { name, if_revision, ...patch } = params;
  requireUnmanaged(name, "change", backends, context);
  return backends.registry.update(name, patch, { ifRevision: if_revision, isChecked: true });
}

async function deregister(
  { name, if_revision, force = false }: ActionParams<"deregister_service">,
  backends: ActionBackends,
  context: ActionContext,
): Promise<ActionData<"deregister_service">> {
  requireUnmanaged(name, "remove", backends, context);
  const { registry, vouched, services } = backends;
  const entry = registry.get(name);
  let runsOn = false;
  // Checked within the registry's own turn: a start could come between.
  const admit = (current: ServiceEntry) => {
    runsOn = services?.ownership?.manages(current.id) === true && isRunning(current);
    if (runsOn && !force) throw stillRunning(current);
  };
  // First, so that nothing else can take its place meanwhile.
  if (context.access === "anonymous") vouched?.removeWithoutToken(entry);
  try {
    await registry.deregister(entry.id, { ifRevision: if_revision, admit });
  } catch (error) {
    vouched?.readd(entry);
    throw error;
  }
  if (context.access !== "anonymous") vouched?.remove(entry.id);
  return runsOn ? { removed: true, runs_on: true } : { removed: true };
}

/** A service that this server runs would go on without anybody who watches it. */
function stillRunning({ id, state }: ServiceEntry): HarnessError {
  return new HarnessError(
    "conflict",
    `Cannot remove ${id}: this server runs it, and it is ${state}; stop it first, or use force: then it runs on, ` +
      "and nothing watches it",
    { details: { reason: "still_running", id, state } },
  );
}
