/** The workflows of .github, as data for tests. */
import { parse } from "yaml";

const ROOT = new URL("../../", import.meta.url);

/** A step of a job; a part of what may stand there. */
export interface Step {
  /** Its name, if it has one. */
  name?: string;
  /** What it runs in a shell. */
  run?: string;
  /** The action that it uses. */
  uses?: string;
  /** Variables that it sets. */
  env?: Record<string, string>;
}

/** A job; a part of what may stand there. */
export interface Job {
  /** Jobs that must have succeeded. */
  needs?: string | string[];
  /** Rights of its token. */
  permissions?: Record<string, string>;
  /** Another workflow that it is. */
  uses?: string;
  /** What its copies differ in. */
  strategy?: { matrix: { include: Array<Record<string, string>> } };
  /** What it does. */
  steps?: Step[];
}

/** A workflow; a part of what may stand there. */
export interface Workflow {
  /** What starts it. */
  on: Record<string, unknown>;
  /** Rights that every job has unless it says otherwise. */
  permissions: Record<string, string>;
  /** By id. */
  jobs: Record<string, Job>;
}

/** Reads `.github/workflows/<name>`. */
export async function readWorkflow(name: string): Promise<Workflow> {
  return parse(await Deno.readTextFile(new URL(`.github/workflows/${name}`, ROOT)));
}

/** Its steps that run something, each with its job's id. */
export function* runSteps(workflow: Workflow): Generator<{ job: string; step: Step; run: string }> {
  for (const [job, { steps = [] }] of Object.entries(workflow.jobs)) {
    for (const step of steps) if (step.run !== undefined) yield { job, step, run: step.run };
  }
}
