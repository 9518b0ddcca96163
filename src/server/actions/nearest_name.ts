/**
 * Adds what was probably meant to the errors for names that there are not: `details.nearest`.
 *
 * Only names are offered that the client may list.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { nearestName } from "../../util/did_you_mean.ts";
import type { ActionBackends, ActionContext } from "./action_handler.ts";

/** Names that are compared: some milliseconds of work at most. */
const MAX_COMPARED_NAMES = 1_000;

/** How the names of one kind are found. */
interface NameList {
  /** The detail that has the name that was asked for. */
  readonly asked: string;
  /** The names that the client may list. */
  list(backends: ActionBackends, context: ActionContext): Promise<string[]> | string[];
}

/** By `details.reason` of a `not_found`. */
const NAMES: Readonly<Record<string, NameList>> = {
  service_unknown: {
    asked: "name",
    list: ({ registry }, { scope }) =>
      registry.list().filter(({ name }) => scope?.covers(name) ?? true)
        .flatMap(({ id, name }) => id === name ? [id] : [name, id]),
  },
  package_unknown: {
    asked: "package",
    list: async ({ packages }, { scope }) =>
      (await packages?.list() ?? []).filter(({ name }) => scope?.coversPackage(name) ?? true)
        .flatMap(({ name, version, file }) => [`${name}@${version}`, file]),
  },
  deployment_unknown: {
    asked: "deployment_id",
    list: async ({ deployments }, { scope }) =>
      (await deployments?.list({}) ?? []).filter(({ service }) => scope?.covers(service) ?? true)
        .map(({ deployment_id }) => deployment_id),
  },
};

/** The same error, for a name that there is not with the nearest that there is. Never fails. */
export async function withNearest(
  error: unknown,
  backends: ActionBackends,
  context: ActionContext,
): Promise<unknown> {
  if (!(error instanceof HarnessError) || error.code !== "not_found") return error;
  const { details = {}, message } = error;
  const names = NAMES[String(details["reason"])];
  const asked = names === undefined ? undefined : details[names.asked];
  if (names === undefined || typeof asked !== "string") return error;
  try {
    const nearest = nearestOf(asked, await names.list(backends, context));
    if (nearest === null) return error;
    return new HarnessError("not_found", `${message}; did you mean "${nearest}"?`, {
      details: { ...details, nearest },
      cause: error,
    });
  } catch {
    return error;
  }
}

function nearestOf(asked: string, names: readonly string[]): string | null {
  // A name of another length is another name: most are sorted out without being compared.
  const most = Math.max(2, Math.ceil(asked.length * 0.4));
  const similar = new Set(
    names.filter((name) =>
      Math.abs(name.length - asked.length) <= most || name.startsWith(asked.slice(0, 3))
    ),
  );
  return nearestName(asked, [...similar].slice(0, MAX_COMPARED_NAMES));
}
