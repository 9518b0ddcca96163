/**
 * Runs actions by the table of their handlers.
 *
 * @module
 */
import type { Action, ActionMap, ActionParams } from "../../protocol/actions.ts";
import { JsonText } from "../connection/answers.ts";
import type {
  ActionBackends,
  ActionContext,
  ActionHandler,
  ActionHandlers,
  ActionResult,
} from "./action_handler.ts";
import { DEPLOYMENT_HANDLERS } from "./deployment_handlers.ts";
import { LIFECYCLE_HANDLERS } from "./lifecycle_handlers.ts";
import { withNearest } from "./nearest_name.ts";
import { REGISTRY_HANDLERS } from "./registry_handlers.ts";
import { SUBSCRIPTION_HANDLERS } from "./subscription_handlers.ts";

const HANDLERS: ActionHandlers<ActionMap> = {
  ...REGISTRY_HANDLERS,
  ...LIFECYCLE_HANDLERS,
  ...DEPLOYMENT_HANDLERS,
  ...SUBSCRIPTION_HANDLERS,
};

/** Runs an action whose params and right were checked, within the scope of the client's token. */
export function runAction<A extends Action>(
  action: A,
  params: ActionParams<A>,
  backends: ActionBackends,
  context: ActionContext,
): ActionResult<A> {
  const handler: ActionHandler<A> = HANDLERS[action];
  try {
    const checked = context.scope && handler.scope(params, context.scope, backends);
    const result = checked === undefined
      ? handler.run(params, backends, context)
      : checked.then(() => handler.run(params, backends, context));
    if (!(result instanceof Promise)) return result;
    return result.catch((error) => explained(error, backends, context));
  } catch (error) {
    return explained(error, backends, context);
  }
}

async function explained(
  error: unknown,
  backends: ActionBackends,
  context: ActionContext,
): Promise<never> {
  throw await withNearest(error, backends, context);
}

/** The JSON text of an action's data. */
export function dataText(action: Action, data: unknown): string {
  if (data instanceof JsonText) return data.text;
  const { text } = HANDLERS[action] as ActionHandler<Action>;
  return text === undefined ? JSON.stringify(data ?? null) : text(data as never);
}
