/**
 * Adds what was probably meant to the errors for names that there are not: `details.nearest`.
 *
 * Only names are offered that the client may list. A wrong name is answered in the same time however many there are: so
 * many are compared at most, and the time counts for the turn.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Registry } from "../../registry/registry.ts";
import { nearestName, oneEditAway } from "../../util/did_you_mean.ts";
import type { ServiceScope } from "../access/scope.ts";
import type { ActionBackends, ActionContext } from "./action_handler.ts";

/** Names that are compared: some tenths of a millisecond of work. */
const MAX_COMPARED_NAMES = 256;

/** How the names of one kind are found. */
interface NameList {
  /** The detail that has the name that was asked for. */
  readonly asked: string;
  /** Names that the client may list, those first that are most likely. */
  list(
    backends: ActionBackends,
    context: ActionContext,
    asked: string,
  ): Iterable<string> | Promise<Iterable<string>>;
}

/** By `details.reason` of a `not_found`. */
const NAMES: Readonly<Record<string, NameList>> = {
  service_unknown: {
    asked: "name",
    list: ({ registry }, { scope }, asked) => serviceNames(registry, scope, asked),
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

function* serviceNames(
  registry: Registry,
  scope: ServiceScope | undefined,
  asked: string,
): Generator<string> {
  if (registry.size > MAX_COMPARED_NAMES) {
    // Of a large registry only a part is compared: a single slip is looked up.
    for (const word of oneEditAway(asked)) {
      if (registry.has(word) && (scope?.covers(registry.nameOf(word)) ?? true)) yield word;
    }
  }
  for (const { id, name } of registry.around(asked, MAX_COMPARED_NAMES)) {
    if (!(scope?.covers(name) ?? true)) continue;
    yield name;
    if (id !== name) yield id;
  }
}

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
    const listed = names.list(backends, context, asked);
    const candidates = listed instanceof Promise ? await listed : listed;
    const begun = performance.now();
    const nearest = nearestName(asked, first(candidates));
    context.worked(performance.now() - begun);
    if (nearest === null) return error;
    return new HarnessError("not_found", `${message}; did you mean "${nearest}"?`, {
      details: { ...details, nearest },
      cause: error,
    });
  } catch {
    return error;
  }
}

function* first(names: Iterable<string>): Generator<string> {
  let left = 2 * MAX_COMPARED_NAMES;
  for (const name of names) {
    if (left-- === 0) return;
    yield name;
  }
}
