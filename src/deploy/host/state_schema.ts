/**
 * Validates `state.json`: a host may be compromised, or its file edited by hand.
 *
 * @module
 */

import { EXECUTION_TYPES } from "../../model/service.ts";
import { isObject } from "../../util/json.ts";

/** The statuses of a release. */
export const RELEASE_STATUSES = ["installing", "good", "bad"] as const;

/** Text fields of a release. */
const TEXTS = ["id", "version", "sha256", "dir", "deployment_id"];
const EXECUTIONS = EXECUTION_TYPES;
const STATUSES: readonly string[] = RELEASE_STATUSES;

type Fields = Record<string, unknown>;

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === "string";
}

/** Why a record is invalid, or `null`; unknown fields are allowed. */
export function recordProblem(state: object): string | null {
  const { releases, active, pending } = state as Fields;
  if (!Array.isArray(releases)) return "it lists no releases";
  if (!releases.every(isRelease)) return "one of its releases is invalid";
  if (!isTextOrNull(active)) return "its active release is invalid";
  if (pending === null) return null;
  if (!isObject(pending) || !isTextOrNull(pending["from"]) || !isRelease(pending["to"])) {
    return "its pending switch is invalid";
  }
  return null;
}

function isRelease(value: unknown): boolean {
  return isObject(value) &&
    TEXTS.every((name) => typeof value[name] === "string") &&
    STATUSES.includes(String(value["status"])) &&
    isTextOrNull(value["env"]) &&
    isManifest(value["manifest"]) &&
    (value["spec"] === null || isSpec(value["spec"])) &&
    (value["run"] === undefined || isObject(value["run"]));
}

function isManifest(value: unknown): boolean {
  return isObject(value) && typeof value["name"] === "string" &&
    typeof value["version"] === "string" && isObject(value["service"]) && isObject(value["env"]);
}

function isSpec(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { execution, runDir, logDir, workDir, ports, restart, stop } = value;
  return isObject(execution) && EXECUTIONS.includes(String(execution["type"])) &&
    [runDir, logDir, workDir].every((path) => typeof path === "string") &&
    Array.isArray(ports) && isObject(restart) && isObject(stop);
}
