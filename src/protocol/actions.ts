/**
 * The actions of `harness.v1`, all in one table.
 *
 * Both sides use it: the server checks params and rights with it, the client takes its types from it, and
 * docs/schema is generated from it. An action is added in the file of its subject, and a handler for it in
 * `server/actions/`; without one the server does not compile.
 *
 * @module
 */
import type { ActionTable } from "./action_table.ts";
import { DEPLOYMENT_ACTIONS, type DeploymentActions } from "./deployment_actions.ts";
import { LIFECYCLE_ACTIONS, type LifecycleActions } from "./lifecycle_actions.ts";
import { REGISTRY_ACTIONS, type RegistryActions } from "./registry_actions.ts";
import { SUBSCRIPTION_ACTIONS, type SubscriptionActions } from "./subscription_actions.ts";

export type { Target, TargetSpec } from "../model/target.ts";
export type { Right } from "./action_table.ts";
export type {
  Deployment,
  DeploymentActions,
  DeploymentHost,
  PackageInfo,
  StrategySpec,
} from "./deployment_actions.ts";
export type { ActionStep, LifecycleActions } from "./lifecycle_actions.ts";
export type { SubscribableEvent } from "./events.ts";
export type { RegistryActions } from "./registry_actions.ts";
export type { ResumeMode, SubscriptionActions } from "./subscription_actions.ts";

/** Params and data of every action, by name. */
export interface ActionMap
  extends RegistryActions, LifecycleActions, DeploymentActions, SubscriptionActions {}

/** Name of an action. */
export type Action = keyof ActionMap;
/** Params of an action. */
export type ActionParams<A extends Action> = ActionMap[A]["params"];
/** Data of an action's response. */
export type ActionData<A extends Action> = ActionMap[A]["data"];

/** Every action: the right it needs and the schemas of its params and data. */
export const ACTIONS: ActionTable<ActionMap> = {
  ...REGISTRY_ACTIONS,
  ...LIFECYCLE_ACTIONS,
  ...DEPLOYMENT_ACTIONS,
  ...SUBSCRIPTION_ACTIONS,
};

/** All action names. */
export const ACTION_NAMES: readonly Action[] = Object.keys(ACTIONS) as Action[];

/** Whether `value` names an action. */
export function isAction(value: string): value is Action {
  return Object.hasOwn(ACTIONS, value);
}
