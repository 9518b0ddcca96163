/**
 * The rules of requests and what runs them, which are loaded when the first client connects: the schemas take as long as
 * all else that a start does. Its messages wait for them.
 *
 * @module
 */
import type { HarnessError } from "../../errors.ts";
import { notLoaded } from "../http/http_errors.ts";
import { isAudited } from "../access/audit.ts";
import { loadValidation } from "../../registry/input/lazy.ts";

/** What is known of actions and their params, and what runs them. */
export type RequestRules =
  & typeof import("../../protocol/requests.ts")
  & typeof import("../actions/run_action.ts");

let rules: RequestRules | null = null;
let loading: Promise<void> | null = null;
/** Why the last attempt failed. */
let failure: HarnessError | null = null;

async function load(): Promise<void> {
  try {
    // Both, so that no registration that waits for its own checks is overtaken by a request after it.
    await loadValidation();
    rules = {
      ...await import("../../protocol/requests.ts"),
      ...await import("../actions/run_action.ts"),
    };
  } catch (error) {
    throw failure ??= notLoaded("what checks and runs requests", error);
  } finally {
    loading = null;
  }
}

/** Loads the rules. Rejects where that fails. */
export async function loadRules(): Promise<void> {
  if (rules === null) await (loading ??= load());
}

/** `null` where the rules are there, else the end of the attempt to load them. Never rejects. */
export function rulesLoading(): Promise<void> | null {
  return rules === null ? loadRules().catch(() => {}) : null;
}

/** The rules. @throws {HarnessError} `unavailable` when they could not be loaded. */
export function requestRules(): RequestRules {
  if (rules === null) throw failure ?? new Error("the rules of requests are not loaded yet");
  return rules;
}

/** Why no request can be run, if so. */
export function rulesProblem(): string | null {
  return rules === null && failure !== null ? failure.message : null;
}

/** Whether a request for what a client names as an action is recorded: before the rules are there, none is answered. */
export function isRecorded(name: string): boolean {
  const action = rules?.actionOf(name);
  return rules !== null && action !== undefined && isAudited(action, rules.rightOf(action));
}
