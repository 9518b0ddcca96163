/**
 * What a request may be: a known action, with params that its schema accepts.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import { explainIssue, fieldProblem } from "../registry/input/validate.ts";
import { nearestName } from "../util/did_you_mean.ts";
import type { ActionDefinition } from "./action_table.ts";
import {
  type Action,
  ACTION_NAMES,
  type ActionMap,
  type ActionParams,
  ACTIONS,
  type Right,
} from "./actions.ts";
import { MAX_PARAM_ISSUES } from "./limits.ts";

/** The names as the tables have them: with the text of a request V8 would look for the same text among all names first. */
const NAMES: ReadonlyMap<string, Action> = new Map(ACTION_NAMES.map((name) => [name, name]));

/** The action of that name, if there is one. */
export function actionOf(name: string): Action | undefined {
  return NAMES.get(name);
}

/** The right that an action needs. */
export function rightOf(action: Action): Right {
  return ACTIONS[action].right;
}

/**
 * The name of a known action.
 *
 * @throws {HarnessError} `unknown_action`, naming the nearest known one.
 */
export function requireAction(name: string): Action {
  const action = actionOf(name);
  if (action !== undefined) return action;
  const shown = name.slice(0, 64);
  const nearest = nearestName(name, ACTION_NAMES);
  const hint = nearest === null
    ? `the actions are ${ACTION_NAMES.join(", ")}`
    : `did you mean "${nearest}"?`;
  throw new HarnessError("unknown_action", `Cannot run the action "${shown}": ${hint}`, {
    details: { action: shown, ...(nearest === null ? {} : { nearest }) },
  });
}

/**
 * The params of an action, checked; unknown fields are dropped.
 *
 * @throws {HarnessError} `invalid_params` with `details.issues` (`path`, `message`).
 */
export function parseParams<A extends Action>(action: A, params: unknown): ActionParams<A> {
  const definition: ActionDefinition<ActionMap[A]> = ACTIONS[action];
  const quick = definition.quick?.(params) ?? null;
  if (quick !== null) return quick;
  const result = definition.params.safeParse(params, { error: fieldProblem });
  if (result.success) return result.data;
  const found = result.error.issues.slice(0, MAX_PARAM_ISSUES).map(explainIssue);
  const issues = found.map(({ path, message }) => ({
    path: ["params", ...path.map(String)].join("."),
    message,
  }));
  const why = issues.map((issue) => `${issue.path} ${issue.message}`).join("; ");
  throw new HarnessError("invalid_params", `Cannot run ${action}: ${why}`, { details: { issues } });
}
