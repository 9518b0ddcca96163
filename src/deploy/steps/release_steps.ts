/**
 * The steps that bring a release to a host once it is locked and checked.
 *
 * A new step is a word in `DEPLOY_STEPS`, whose order is the order of the steps, and its function here.
 *
 * @module
 */
import { DEPLOY_STEPS, type DeployStep } from "../../model/deployment.ts";
import type { HostContext, StepResult } from "../host/context.ts";
import { commit, health, start, switchRelease } from "./activate.ts";
import { configure } from "./configure.ts";
import { extract, upload, verify } from "./files.ts";

/** Does the work of a step. */
export type StepFunction = (context: HostContext) => Promise<StepResult>;

/** Steps around those of a release: host/deploy.ts takes them itself. */
type OuterStep =
  | "connect"
  | "lock"
  | "preflight"
  | "prune"
  | "unlock"
  | "rollback"
  | "finish";

const FUNCTIONS: Readonly<Record<Exclude<DeployStep, OuterStep>, StepFunction>> = {
  upload,
  verify,
  extract,
  configure,
  switch: switchRelease,
  start,
  health,
  commit,
};

/** Name and function of each step, in order. */
export const RELEASE_STEPS: ReadonlyArray<[DeployStep, StepFunction]> = DEPLOY_STEPS.flatMap(
  (step) => step in FUNCTIONS ? [[step, FUNCTIONS[step as keyof typeof FUNCTIONS]]] : [],
);
