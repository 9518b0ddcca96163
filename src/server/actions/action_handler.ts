/**
 * What a handler of an action is given, and what it may return.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Action, ActionData, ActionParams } from "../../protocol/actions.ts";
import type { Registry } from "../../registry/registry.ts";
import type { AuditSink } from "../access/audit.ts";
import type { Access } from "../access/rights.ts";
import type { ServiceScope } from "../access/scope.ts";
import type { VouchedEntries } from "../access/vouched_entries.ts";
import type { CallContext, Deployments, Packages, Services } from "../backends.ts";
import type { Answer, Answers, JsonText } from "../connection/answers.ts";
import type { LogReads } from "../services/service_logs.ts";

/** What all handlers share: one per server. */
export interface ActionBackends {
  /** The registry. */
  registry: Registry;
  /** Makes answers that can be large. */
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
  /** Receives what clients change. */
  audit?: AuditSink | undefined;
}

/** The client and the connection of one request. */
export interface ActionContext extends CallContext {
  /** Whether the connection is gone, so that nobody receives the response. */
  readonly isGone: boolean;
  /** What the client may do. */
  access: Access;
  /** Path of the server's token file, for clients that sent no token. */
  tokenFile: string | null;
  /** Counts milliseconds of work for the present turn: what arrives after too many of them waits for its own. */
  worked(ms: number): void;
  /** Opens a subscription of this connection. */
  subscribe(params: ActionParams<"subscribe">): Promise<ActionData<"subscribe">>;
  /** Ends subscriptions of this connection. */
  unsubscribe(
    params: ActionParams<"unsubscribe">,
  ): ActionData<"unsubscribe"> | Promise<ActionData<"unsubscribe">>;
}

/** The result of a handler: synchronous where possible, so that a plain read costs no extra turn. */
export type ActionResult<A extends Action> =
  | ActionData<A>
  | Answer
  | JsonText
  | Promise<ActionData<A> | Answer | JsonText>;

/** How the server carries an action out. */
export interface ActionHandler<A extends Action> {
  /**
   * Refuses params that name something outside a token's scope: throws `forbidden`, whether or not it exists.
   * What an action lists is filtered by `run`.
   */
  scope(
    params: ActionParams<A>,
    scope: ServiceScope,
    backends: ActionBackends,
  ): void | Promise<void>;
  /** Returns the data or throws a `HarnessError`. */
  run(params: ActionParams<A>, backends: ActionBackends, context: ActionContext): ActionResult<A>;
  /** JSON text of the data. @default {JSON.stringify} */
  text?(data: ActionData<A>): string;
}

/** A handler for each action of a map; a missing one does not compile. */
export type ActionHandlers<M> = { readonly [A in keyof M & Action]: ActionHandler<A> };

/** The scope check of actions that name nothing: `run` filters what they list. */
export const filtered = (): void => {};

/**
 * A backend that a server may lack.
 *
 * @throws {HarnessError} `unavailable`.
 */
export function required<T>(backend: T | undefined, action: Action, capability: string): T {
  if (backend !== undefined) return backend;
  throw new HarnessError(
    "unavailable",
    `Cannot run ${action}: this server lacks the capability "${capability}"`,
    { details: { reason: "not_supported", capability } },
  );
}
