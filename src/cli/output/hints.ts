/**
 * What a user can do about an error: the flag or command to use, chosen by code and details.
 *
 * Messages are printed as they are. This is the one place that maps fields and reasons of the protocol to flags and
 * commands; it never reads a message.
 *
 * @module
 */
import { type ErrorCode, HarnessError } from "../../errors.ts";
import { SERVER_NAME } from "../../version.ts";

/** What hints are chosen by. */
export interface ErrorFacts {
  /** The error's code. */
  readonly code: string;
  /** Its details. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** An error with a hint that only its place in the command line can give. */
export class HintedError extends HarnessError {
  /** The hint, instead of the one for code and details. */
  readonly hint: string;

  /** The same error with a hint. */
  constructor(error: HarnessError, hint: string) {
    const { details } = error;
    super(error.code, error.message, { cause: error, ...(details && { details }) });
    this.hint = hint;
  }
}

const TOKEN_FLAG = "--token-file or HARNESS_TOKEN";

/** By code and `details.reason`. */
const BY_REASON: Readonly<Record<string, string>> = {
  "already_exists/already_registered": "add --replace to change the entry",
  "already_exists/package_differs": "add --force to replace the package",
  "conflict/dependency_cycle": "change --depends-on of one of them",
  "conflict/idempotency_key_used": "choose another --idempotency-key",
  "conflict/still_running": "`service stop` stops it first; with --force it runs on, unwatched",
  "deploy_failed/unwritable":
    "use --become sudo, another user in --host, or another --install-root",
  "forbidden/read_only_token": `give the full token with ${TOKEN_FLAG}`,
  "invalid_params/secrets_missing": "give them with --secret-file NAME=file",
  "invalid_params/tls": "--tls-cert and --tls-key name the files",
  "invalid_request/wrong_address": "--url names the server, with its path behind a proxy",
  "invalid_params/url_password": `give the token with ${TOKEN_FLAG}`,
  "not_found/deployment_unknown": `\`${SERVER_NAME} deployments\` lists the deployments`,
  "not_found/package_unknown":
    `there is no such file here; \`${SERVER_NAME} package list\` lists the server's packages`,
  "not_found/service_unknown": `\`${SERVER_NAME} services\` lists the services`,
  "package_invalid/manifest_missing":
    `\`${SERVER_NAME} package init\` writes a directory to start from`,
  "unreachable/wrong_address": "--url names the server, with its path behind a proxy",
  "storage_unavailable/packages_directory": "the server's --packages-dir names the directory",
  "unavailable/address_not_local":
    "give an address of this machine with --listen: 127.0.0.1 for this machine alone, 0.0.0.0 for all",
  "unavailable/no_endpoints": "register the service again with --endpoint and --replace",
  "unavailable/not_supported": `\`${SERVER_NAME} doctor\` lists the server's capabilities`,
  "unavailable/port_in_use": "--listen chooses the port; 0 takes a free one",
  "unavailable/unknown_host": "give an address of this machine with --listen",
};

/** What sets a field of a request; of several prefixes the longest counts. */
const SET_BY: Readonly<Record<string, string>> = {
  "service.name": "the name argument",
  "service.id": "--id",
  "service.version": "--version",
  "service.execution": "--command",
  "service.execution.image": "--docker",
  "service.execution.name": "--container",
  "service.execution.unit_name": "--systemd",
  "service.execution.args": "--arg",
  "service.location": "--host",
  "service.endpoints": "--endpoint",
  "service.depends_on": "--depends-on",
  "service.labels": "--label",
  "service.ttl_ms": "--ttl",
  "name": "the name argument",
  "service": "the name argument",
  "deployment_id": "the id argument",
  "package": "the package argument",
  "targets": "--host",
  "env": "--env",
  "secrets": "--secret-file",
  "strategy.parallel": "--parallel",
  "strategy.canary": "--canary",
  "strategy.max_failures": "--max-failures",
  "strategy.on_unreachable": "--on-unreachable",
  "idempotency_key": "--idempotency-key",
  "version": "--version",
  "label": "--label",
  "host": "--host",
  "endpoint": "--endpoint",
  "services": "the names",
};

/** The hint for an error, or `null` where its message is enough. */
export function hintFor(error: ErrorFacts): string | null {
  if (error instanceof HintedError) return error.hint;
  const { code, details = {} } = error;
  const known = BY_REASON[`${code}/${details["reason"]}`];
  if (known !== undefined) return known;
  if (code === "invalid_params") return fieldHint(details);
  if (code === "invalid_transition") return transitionHint(details);
  const isUnanswered = code === "timeout" && details["outcome"] === "unknown";
  return isUnanswered ? "allow more time with --timeout" : null;
}

/** `error` with a hint, where it is one of ours with this code and reason (any, where it is left out). */
export function withHint(
  error: unknown,
  when: { code: ErrorCode; reason?: string },
  hint: string,
): unknown {
  const applies = error instanceof HarnessError && error.code === when.code &&
    (when.reason === undefined || error.details?.["reason"] === when.reason);
  return applies ? new HintedError(error, hint) : error;
}

function fieldHint({ issues, file }: Readonly<Record<string, unknown>>): string | null {
  // The fields of a file are no flags.
  if (!Array.isArray(issues) || file !== undefined) return null;
  const words = issues.map((issue: { path?: unknown } | null) => setBy(String(issue?.path ?? "")));
  const known = [...new Set(words.filter((word) => word !== null))];
  return known.length === 0 ? null : `check ${known.join(" and ")}`;
}

/** What sets the field at `path`: `params.service.ttl_ms` of a request, or `ttl_ms` of an entry. */
function setBy(path: string): string | null {
  const field = path.startsWith("params.") ? path.slice("params.".length) : path;
  const prefixes = Object.keys(SET_BY)
    .filter((key) => key !== "service" || field === key)
    .filter((key) => [field, `service.${field}`].some((at) => `${at}.`.startsWith(`${key}.`)))
    .sort((a, b) => b.length - a.length);
  return SET_BY[prefixes[0] ?? ""] ?? null;
}

function transitionHint({ id, from, to }: Readonly<Record<string, unknown>>): string | null {
  if (to === "stopping" && from !== "stopping") {
    return `\`${SERVER_NAME} service start ${id}\` starts it`;
  }
  if (to !== "starting" && to !== "stopping") return null;
  return from === "running"
    ? `\`${SERVER_NAME} service restart ${id}\` restarts it`
    : "wait until that is done";
}
