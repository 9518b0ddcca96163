/**
 * The table of actions: for each who may run it and the small handler that does.
 *
 * Handlers return data or throw a `HarnessError`; nothing else. This is the only file that knows both
 * the registry and the backends.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { Action, ActionData, ActionParams } from "../protocol/actions.ts";
import type { ServiceEntry } from "../registry/entry.ts";
import { entryText } from "../registry/entry_text.ts";
import type { Registry } from "../registry/registry.ts";
import type { Answer, Answers } from "./answers.ts";
import type { Access } from "./auth.ts";
import type { CallContext, Deployments, Packages, ServiceOperator } from "./backends.ts";

/** What all handlers share: one per server. */
export interface ActionServices {
  /** The registry. */
  registry: Registry;
  /** What can be large. */
  answers: Answers;
  /** Lifecycle. Left out: its actions answer `unavailable`. */
  operator?: ServiceOperator | undefined;
  /** Deployments. Left out: its actions answer `unavailable`. */
  deployments?: Deployments | undefined;
  /** Packages. Left out: its actions answer `unavailable`. */
  packages?: Packages | undefined;
}

/** What is special to one request. */
export interface ActionContext extends CallContext {
  /** What the client may do. */
  access: Access;
  /** Opens a subscription of this connection. */
  subscribe(params: ActionParams<"subscribe">): Promise<ActionData<"subscribe">>;
  /** Ends subscriptions of this connection. */
  unsubscribe(
    params: ActionParams<"unsubscribe">,
  ): ActionData<"unsubscribe"> | Promise<ActionData<"unsubscribe">>;
}

/** What a handler returns: at once where it can, so that a plain read costs no extra turn. */
export type ActionResult<A extends Action> =
  | ActionData<A>
  | Answer
  | Promise<ActionData<A> | Answer>;

interface ActionHandler<A extends Action> {
  /** Whether a read-only token is refused. */
  writes: boolean;
  run(params: ActionParams<A>, services: ActionServices, context: ActionContext): ActionResult<A>;
}

/** Before anything else is looked at. @throws {HarnessError} `forbidden` when the client may only read. */
export function requireRight(action: Action, access: Access): void {
  if (HANDLERS[action].writes && access !== "full") {
    throw new HarnessError("forbidden", `Cannot run ${action}: this token may only read`);
  }
}

/** Runs an action whose params were checked, for a client that may. */
export function runAction<A extends Action>(
  action: A,
  params: ActionParams<A>,
  services: ActionServices,
  context: ActionContext,
): ActionResult<A> {
  const handler: ActionHandler<A> = HANDLERS[action];
  return handler.run(params, services, context);
}

/** The JSON text of an action's data. */
export function dataText(action: Action, data: unknown): string {
  const isEntry = action === "get_service" || action === "register_service" ||
    action === "update_service";
  return isEntry ? entryText(data as ServiceEntry) : JSON.stringify(data ?? null);
}

/** What a server can do beyond reading the registry, for `hello`. */
export function capabilitiesOf(services: ActionServices, access: Access): string[] {
  return [
    ...(access === "full" ? ["write"] : []),
    ...(services.deployments === undefined ? [] : ["deploy"]),
    ...(services.operator === undefined ? [] : ["lifecycle"]),
    ...(services.packages === undefined ? [] : ["packages"]),
  ];
}

const HANDLERS: { readonly [A in Action]: ActionHandler<A> } = {
  list_services: { writes: false, run: listServices },
  get_service: { writes: false, run: ({ name }, { registry }) => registry.get(name) },
  register_service: {
    writes: true,
    run: ({ service, replace = false }, { registry }) => registry.register(service, { replace }),
  },
  update_service: { writes: true, run: updateService },
  deregister_service: { writes: true, run: deregisterService },
  heartbeat: { writes: true, run: ({ name }, { registry }) => registry.heartbeat(name) },
  service_action: {
    writes: true,
    run: (params, services, context) =>
      required(services.operator, "service_action", "starts and stops services")
        .act(params, context),
  },
  list_endpoints: { writes: false, run: (_, { answers }) => answers.endpoints() },
  resolve_endpoint: {
    writes: false,
    run: ({ service, endpoint }, { registry }) => registry.resolve(service, endpoint),
  },
  get_dependencies: { writes: false, run: (params, { answers }) => answers.dependencies(params) },
  service_logs: {
    writes: false,
    run: (params, services, context) =>
      required(services.operator, "service_logs", "reads logs").logs(params, context),
  },
  deploy_package: {
    writes: true,
    run: (params, services, context) =>
      required(services.deployments, "deploy_package", "deploys").deploy(params, context),
  },
  get_deployment: {
    writes: false,
    run: (params, services) =>
      required(services.deployments, "get_deployment", "deploys").get(params),
  },
  list_deployments: {
    writes: false,
    run: async (params, services) => {
      const deployments = required(services.deployments, "list_deployments", "deploys");
      return services.answers.items(await deployments.list(params));
    },
  },
  cancel_deployment: {
    writes: true,
    run: (params, services, context) =>
      required(services.deployments, "cancel_deployment", "deploys").cancel(params, context),
  },
  rollback_service: {
    writes: true,
    run: (params, services, context) =>
      required(services.deployments, "rollback_service", "deploys").rollback(params, context),
  },
  resume_deployment: {
    writes: true,
    run: (params, services, context) =>
      required(services.deployments, "resume_deployment", "deploys").resume(params, context),
  },
  list_packages: {
    writes: false,
    run: async (_, services) => {
      const packages = required(services.packages, "list_packages", "holds packages");
      return services.answers.items(await packages.list());
    },
  },
  subscribe: { writes: false, run: (params, _, context) => context.subscribe(params) },
  unsubscribe: { writes: false, run: (params, _, context) => context.unsubscribe(params) },
};

function listServices(
  params: ActionParams<"list_services">,
  { answers }: ActionServices,
): Answer {
  const { limit, cursor, ...filter } = params;
  if (limit !== undefined) return answers.page(filter, { limit, cursor });
  if (cursor === undefined) return answers.list(filter);
  throw new HarnessError(
    "invalid_params",
    "Cannot run list_services: params.cursor needs params.limit",
  );
}

function updateService(
  params: ActionParams<"update_service">,
  { registry }: ActionServices,
): Promise<ActionData<"update_service">> {
  const { name, if_revision, ...patch } = params;
  return registry.update(name, patch, { ifRevision: if_revision });
}

async function deregisterService(
  { name, if_revision }: ActionParams<"deregister_service">,
  { registry }: ActionServices,
): Promise<ActionData<"deregister_service">> {
  await registry.deregister(name, { ifRevision: if_revision });
  return { removed: true };
}

function required<T>(backend: T | undefined, action: Action, what: string): T {
  if (backend !== undefined) return backend;
  throw new HarnessError(
    "unavailable",
    `Cannot run ${action}: this server has no part that ${what}, see the capabilities in its hello`,
  );
}
