/**
 * Audit entries: which client changed what, for an append-only record.
 *
 * @module
 */
import type { HarnessError } from "../../errors.ts";
import type { Right } from "../../protocol/actions.ts";
import type { Client } from "./rights.ts";

/** One request of a client that changed something or was refused. */
export interface AuditEntry {
  /** When it ended, RFC 3339 UTC. */
  at: string;
  /** The kind or the name of the client's token, or `anonymous`. */
  by: string;
  /** The client's IP address, where the listener knows it. */
  address?: string;
  /** The action, or the method and the word `package`. */
  action: string;
  /** Names of what it was about: never values, and never a secret. */
  about: Record<string, string>;
  /** `ok`, or the code of the error. */
  outcome: string;
}

/** Receives the entries; must neither throw nor block. */
export type AuditSink = (entry: AuditEntry) => void;

/** Params that hold names. All others may hold values. */
const NAMES = ["name", "action", "package", "version", "deployment_id"];

/** Whether an action is recorded: those that change something, except heartbeats. */
export function isAudited(action: string, right: Right): boolean {
  return (right === "control" || right === "registry") && action !== "heartbeat";
}

/** The entry for a request that has ended. */
export function auditEntry(
  { by, address }: Pick<Client, "by" | "address">,
  action: string,
  params: unknown,
  outcome: { data?: unknown; error?: HarnessError },
): AuditEntry {
  const about: Record<string, string> = {};
  const given = (params ?? {}) as Record<string, unknown>;
  const service = given["service"] as { id?: unknown; name?: unknown } | undefined;
  const result = outcome.data as { deployment_id?: unknown } | undefined;
  const note = (name: string, value: unknown) => {
    if (typeof value === "string") about[name] = value.slice(0, MAX_NAME_CHARS);
  };
  for (const name of NAMES) note(name, given[name]);
  note("service", service?.id ?? service?.name);
  note("deployment_id", result?.deployment_id);
  return {
    at: new Date().toISOString(),
    by,
    ...(address === undefined ? {} : { address }),
    action,
    about,
    outcome: outcome.error?.code ?? "ok",
  };
}

/** Longest value kept of what a client sent: names are shorter. */
const MAX_NAME_CHARS = 256;
