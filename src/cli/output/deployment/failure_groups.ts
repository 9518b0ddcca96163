/**
 * Groups the hosts of a deployment that failed for one reason, as a fleet often does.
 *
 * @module
 */
import type { DeployFailure } from "../../../model/deployment.ts";
import type { DeploymentHost } from "../../../protocol/actions.ts";

/** A host with its failure. */
export interface FailedHost extends DeploymentHost {
  /** What went wrong. */
  readonly error: DeployFailure;
}

/** Hosts that failed alike. */
export interface FailureGroup {
  /** The first of them: its failure is shown for all. */
  readonly first: FailedHost;
  /** All of them. */
  readonly hosts: readonly FailedHost[];
}

/** Shorter values would be found in the middle of other words. */
const SHORTEST_OWN_WORD = 3;

/** The failures of `hosts`, one group for each reason, in the order of the hosts. */
export function failureGroups(hosts: readonly DeploymentHost[]): FailureGroup[] {
  const groups = new Map<string, FailedHost[]>();
  for (const host of hosts) {
    if (!isFailed(host)) continue;
    const key = likenessOf(host);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [host]);
    else group.push(host);
  }
  return [...groups.values()].flatMap(([first, ...more]) =>
    first === undefined ? [] : [{ first, hosts: [first, ...more] }]
  );
}

/** The details in which the hosts of a group differ beyond their names, and those that they share. */
export function detailsOf(
  { first, hosts }: FailureGroup,
): { shared: Array<[string, unknown]>; differing: string[] } {
  const shared: Array<[string, unknown]> = [];
  const differing: string[] = [];
  for (const [name, value] of Object.entries(first.error.details ?? {})) {
    const seen = hosts.map((host) =>
      withoutOwn(textOf(host.error.details?.[name]), ownNames(host))
    );
    if (seen.every((text) => text === seen[0])) shared.push([name, value]);
    else differing.push(name);
  }
  return { shared, differing };
}

function isFailed(host: DeploymentHost): host is FailedHost {
  return host.error !== undefined;
}

/** What failures of the same kind have in common: all but the words that are the host's own. */
function likenessOf(host: FailedHost): string {
  const { code, message, details = {} } = host.error;
  const values = Object.values(details).filter((value) =>
    typeof value === "string" || typeof value === "number"
  );
  const own = [...ownNames(host), ...values.map(String)];
  return JSON.stringify([host.outcome, host.step, code, withoutOwn(message, own)]);
}

/** The label of a host, and its parts. */
function ownNames({ host, error }: FailedHost): string[] {
  const { address } = error.details ?? {};
  const bare = host.replace(/^[^@]*@/, "").replace(/:\d+$/, "");
  return [host, bare, ...(typeof address === "string" ? [address] : [])];
}

function textOf(value: unknown): string {
  return JSON.stringify(value) ?? "";
}

/** `text` with the words that are a host's own left out; the longest first, since one may hold another. */
function withoutOwn(text: string, own: readonly string[]): string {
  return [...own].filter((word) => word.length >= SHORTEST_OWN_WORD)
    .sort((a, b) => b.length - a.length)
    .reduce((rest, word) => rest.replaceAll(word, "…"), text);
}
