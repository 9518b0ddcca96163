/**
 * Names that the server has at this moment.
 *
 * @module
 */
import type { DeploymentStatus } from "../../model/deployment.ts";
import type { Session } from "../session/connect.ts";
import { CLI_MAX_COMPLETIONS } from "../limits.ts";
import type { Candidate } from "./candidate.ts";
import type { ValueKind } from "./value_kinds.ts";

/** What is asked for. */
export interface NameQuestion {
  /** What the names are. */
  readonly kind: ValueKind;
  /** The command, such as `deployments cancel`. */
  readonly path: string;
  /** What they begin with. */
  readonly prefix: string;
  /** The arguments before, such as the service of `rollback <service> --version`. */
  readonly args: readonly string[];
}

type Source = (session: Session, question: NameQuestion) => Promise<Candidate[]>;

const SOURCES: Partial<Record<ValueKind, Source>> = {
  deployment: deployments,
  endpoint: endpoints,
  host: hosts,
  instance: async (session, { prefix }) =>
    (await services(session, prefix)).map(({ id, version, state }) => ({
      value: id,
      about: `${version} ${state}`,
    })),
  package: packages,
  service: async (session, { prefix }) =>
    (await services(session, prefix)).map(({ name }) => ({ value: name, about: "service" })),
  target: hosts,
  version: async (session, { args: [service = ""] }) =>
    (await session.call("list_packages", {}))
      .filter(({ name }) => name === service.replace(/@.*/, ""))
      .map(({ version, file }) => ({ value: version, about: file })),
};

/** Whether names of a kind are the server's. */
export function isLive(kind: ValueKind): boolean {
  return kind in SOURCES;
}

/** The names of a kind that the server has. */
export async function liveNames(session: Session, question: NameQuestion): Promise<Candidate[]> {
  return await SOURCES[question.kind]?.(session, question) ?? [];
}

async function services(session: Session, prefix: string) {
  // What cannot be a name could be a pattern: then no service begins with it.
  if (!/^[A-Za-z0-9._@:%-]*$/.test(prefix)) return [];
  const name = `${prefix}*`;
  const data = await session.call("list_services", { name, limit: CLI_MAX_COMPLETIONS });
  return Array.isArray(data) ? data : data.services;
}

async function packages(session: Session): Promise<Candidate[]> {
  const held = await session.call("list_packages", {});
  return held.map(({ name, version }) => ({
    value: `${name}@${version}`,
    about: "package of the server",
  }));
}

async function hosts(session: Session): Promise<Candidate[]> {
  const limit = CLI_MAX_COMPLETIONS;
  const [data, recent] = await Promise.all([
    session.call("list_services", { limit }).catch(() => []),
    session.call("list_deployments", { limit }).catch(() => []),
  ]);
  const entries = Array.isArray(data) ? data : data.services;
  const deployed = recent.flatMap((deployment) =>
    deployment.hosts.map(({ host }) => ({ value: host, about: `runs ${deployment.service}` }))
  );
  const registered = entries.flatMap(({ location, name }) =>
    location.type === "remote" ? [{ value: location.host, about: `runs ${name}` }] : []
  );
  return [...deployed, ...registered].filter(({ value }) => value !== "local");
}

async function endpoints(
  session: Session,
  { args: [service = ""] }: NameQuestion,
): Promise<Candidate[]> {
  const found = await services(session, service);
  return found.filter(({ name }) => name === service).flatMap((entry) =>
    entry.endpoints.map(({ name, address }) => ({ value: name, about: address }))
  );
}

/** Deployments that a command can do something about; all for other commands. */
const USEFUL: Readonly<Record<string, readonly DeploymentStatus[]>> = {
  "deployments cancel": ["queued", "running"],
  "deployments resume": ["failed", "partial", "interrupted", "cancelled", "rolled_back"],
};

async function deployments(session: Session, { path }: NameQuestion): Promise<Candidate[]> {
  const all = await session.call("list_deployments", { limit: CLI_MAX_COMPLETIONS });
  const useful = USEFUL[path];
  return all.filter(({ status }) => useful === undefined || useful.includes(status))
    .map(({ deployment_id: value, service, version, status }) => ({
      value,
      about: `${service} ${version ?? ""} ${status}`.replace("  ", " "),
    }));
}
