/**
 * The table of actions: for each who may run it and the small handler that does.
 *
 * Handlers return data or throw a `HarnessError`; nothing else. This is the only file that knows both
 * the registry and the backends.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Action, ActionData, ActionParams } from "../../protocol/actions.ts";
import type { ServiceEntry } from "../../model/service.ts";
import { entryText } from "../../registry/entry_text.ts";
import type { Registry } from "../../registry/registry.ts";
import type { LogReads } from "../services/log_reads.ts";
import type { Answer, Answers } from "../connection/answers.ts";
import type { AuditSink } from "../access/audit.ts";
import type { CallContext, Deployments, Packages, Services } from "../backends.ts";
import { deregister, heartbeat, register, startable, update } from "./registry_actions.ts";
import { type Access, hasRight, requireRight } from "../access/rights.ts";
import { requireScope } from "../access/scope.ts";
import type { VouchedEntries } from "../access/vouched_entries.ts";

/** What all handlers share: one per server. */
export interface ActionBackends {
  /** The registry. */
  registry: Registry;
  /** What can be large. */
  answers: Answers;
  /** Lifecycle. Left out: its actions answer `unavailable`. */
  services?: Services | undefined;
  /** Logs, where services are managed. Left out: `service_logs` answers `unavailable`. */
  logReads?: LogReads | undefined;
  /** Deployments. Left out: its actions answer `unavailable`. */
  deployments?: Deployments | undefined;
  /** Packages. Left out: its actions answer `unavailable`. */
  packages?: Packages | undefined;
  /** Which entries were registered with the token; left out, all count as such. */
  vouched?: VouchedEntries | undefined;
  /** Is told of what clients change. */
  audit?: AuditSink | undefined;
}

/** What is special to one request. */
export interface ActionContext extends CallContext {
  /** Whether nobody is there any more to be answered. */
  readonly isGone: boolean;
  /** What the client may do. */
  access: Access;
  /** Where the full token is, for whoever sent none. */
  tokenFile: string | null;
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
  run(params: ActionParams<A>, backends: ActionBackends, context: ActionContext): ActionResult<A>;
}

/** Runs an action whose params were checked, for a client that may. */
export function runAction<A extends Action>(
  action: A,
  params: ActionParams<A>,
  backends: ActionBackends,
  context: ActionContext,
): ActionResult<A> {
  const handler: ActionHandler<A> = HANDLERS[action];
  if (context.scope === undefined) return handler.run(params, backends, context);
  const checked = requireScope(action, params, context.scope, backends);
  if (checked === undefined) return handler.run(params, backends, context);
  return checked.then(() => handler.run(params, backends, context));
}

/** The JSON text of an action's data. */
export function dataText(action: Action, data: unknown): string {
  const isEntry = action === "get_service" || action === "register_service" ||
    action === "update_service";
  return isEntry ? entryText(data as ServiceEntry) : JSON.stringify(data ?? null);
}

/** What a client may do beyond reading the registry, for `hello`. */
export function capabilitiesOf(backends: ActionBackends, access: Access): string[] {
  const kinds = [
    ...(backends.deployments === undefined ? [] : ["deploy"]),
    ...(backends.services === undefined ? [] : ["lifecycle"]),
    ...(backends.packages === undefined ? [] : ["packages"]),
  ];
  return [
    ...(hasRight(access, "registry") ? ["write"] : []),
    ...(access === "anonymous" ? [] : kinds),
  ];
}

const HANDLERS: { readonly [A in Action]: ActionHandler<A> } = {
  list_services: { run: listServices },
  get_service: { run: ({ name }, { registry }) => registry.get(name) },
  register_service: { run: register },
  update_service: { run: update },
  deregister_service: { run: deregister },
  heartbeat: { run: heartbeat },
  service_action: {
    run: (params, backends, context) =>
      required(backends.services, "service_action", "starts and stops services")
        .act(startable(params, backends), context),
  },
  list_endpoints: { run: (_, { answers }, { scope }) => answers.endpoints(scope) },
  resolve_endpoint: {
    run: ({ service, endpoint }, { registry }) => registry.resolve(service, endpoint),
  },
  get_dependencies: {
    run: (params, { answers }, { scope }) => answers.dependencies(params, scope),
  },
  service_logs: {
    run: (params, backends, context) =>
      required(backends.logReads, "service_logs", "reads logs").read(params, context),
  },
  deploy_package: {
    run: (params, backends, context) =>
      required(backends.deployments, "deploy_package", "deploys").deploy(params, context),
  },
  get_deployment: {
    run: (params, backends) =>
      required(backends.deployments, "get_deployment", "deploys").get(params),
  },
  list_deployments: {
    run: async (params, backends, { scope }) => {
      const deployments = required(backends.deployments, "list_deployments", "deploys");
      if (scope === undefined) return backends.answers.items(await deployments.list(params));
      const { limit, ...filter } = params;
      const covered = (await deployments.list(filter)).filter((one) => scope.covers(one.service));
      return backends.answers.items(covered.slice(0, limit));
    },
  },
  cancel_deployment: {
    run: (params, backends, context) =>
      required(backends.deployments, "cancel_deployment", "deploys").cancel(params, context),
  },
  rollback_service: {
    run: (params, backends, context) =>
      required(backends.deployments, "rollback_service", "deploys").rollback(params, context),
  },
  resume_deployment: {
    run: (params, backends, context) =>
      required(backends.deployments, "resume_deployment", "deploys").resume(params, context),
  },
  list_packages: {
    run: async (_, backends, { scope }) => {
      const packages = await required(backends.packages, "list_packages", "holds packages").list();
      return backends.answers.items(
        packages.filter(({ name }) => scope?.coversPackage(name) ?? true),
      );
    },
  },
  subscribe: { run: subscribe },
  unsubscribe: { run: (params, _, context) => context.unsubscribe(params) },
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

function subscribe(
  params: ActionParams<"subscribe">,
  _: ActionBackends,
  context: ActionContext,
): Promise<ActionData<"subscribe">> {
  if (params.events?.includes("service_log") === true) {
    requireRight("logs", context.access, "subscribe to service_log", context.tokenFile);
  }
  return context.subscribe(params);
}

function required<T>(backend: T | undefined, action: Action, what: string): T {
  if (backend !== undefined) return backend;
  throw new HarnessError(
    "unavailable",
    `Cannot run ${action}: this server has no part that ${what}; its hello lists its capabilities`,
    { details: { reason: "not_supported" } },
  );
}
