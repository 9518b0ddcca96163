/**
 * What the server and the library say, in the words of the command line: flags and commands instead of
 * actions, params and methods.
 *
 * This is the one place that knows both vocabularies. Whoever reads the protocol gets the message as it
 * is; whoever typed a command gets it through {@linkcode inCliWords}.
 *
 * @module
 */
import { type ErrorCode, HarnessError } from "../../errors.ts";
import type { Action } from "../../protocol/actions.ts";
import { SERVER_NAME } from "../../version.ts";

/** What a command does when it asks for an action, after "Cannot". */
const DOES: Readonly<Record<Action, string>> = {
  list_services: "list the services",
  get_service: "look at the service",
  register_service: "register the service",
  update_service: "change the service",
  deregister_service: "remove the service",
  heartbeat: "renew the lease of the service",
  service_action: "control the service",
  list_endpoints: "list the endpoints",
  resolve_endpoint: "resolve the service",
  get_dependencies: "look at the dependencies",
  service_logs: "show the log",
  deploy_package: "deploy",
  get_deployment: "look at the deployment",
  list_deployments: "list the deployments",
  cancel_deployment: "cancel the deployment",
  resume_deployment: "resume the deployment",
  rollback_service: "roll back",
  list_packages: "list the packages",
  subscribe: "follow the events",
  unsubscribe: "stop following the events",
};

/** How the server and the client begin when they speak of an action. */
const ASKING = /^Cannot (?:run|send|tell how) "?([a-z_]+)"?(?: ended)?: /;

/** Actions that change nothing: without an answer they just did not work. */
const READ_ONLY: readonly Action[] = [
  "list_services",
  "get_service",
  "list_endpoints",
  "resolve_endpoint",
  "get_dependencies",
  "service_logs",
  "get_deployment",
  "list_deployments",
  "list_packages",
  "subscribe",
  "unsubscribe",
];

/** Fields of a request and what sets them on the command line; the longest prefix counts. */
const SET_BY: ReadonlyArray<readonly [field: string, words: string]> = [
  ["service.name", "the name"],
  ["service.id", "--id"],
  ["service.version", "--version"],
  ["service.execution.image", "--docker"],
  ["service.execution.name", "--container"],
  ["service.execution.unit_name", "--systemd"],
  ["service.execution.args", "--arg"],
  ["service.execution", "--command"],
  ["service.location", "--host"],
  ["service.endpoints", "--endpoint"],
  ["service.depends_on", "--depends-on"],
  ["service.labels", "--label"],
  ["service.ttl_ms", "--ttl"],
  ["name", "the name"],
  ["service", "the name"],
  ["deployment_id", "the deployment id"],
  ["package", "the package"],
  ["targets", "--host"],
  ["env", "--env"],
  ["secrets", "--secret-file"],
  ["strategy.parallel", "--parallel"],
  ["strategy.canary", "--canary"],
  ["strategy.max_failures", "--max-failures"],
  ["strategy.on_unreachable", "--on-unreachable"],
  ["idempotency_key", "--idempotency-key"],
  ["version", "--version"],
  ["label", "--label"],
  ["host", "--host"],
  ["endpoint", "--endpoint"],
  ["services", "the names"],
];

/** How the checks of a field speak, and how a person does. */
const CHECKS: ReadonlyArray<readonly [RegExp, string]> = [
  [/^Invalid input: expected \w+, received undefined$/, "is missing"],
  [/^Invalid input: expected (\w+), received (\w+)$/, "must be of type $1, not $2"],
  [/^Too small: expected (?:string|array) to have >=1 .*$/, "must not be empty"],
  [/^Too big: expected string to have <=(\d+) characters$/, "has more than $1 characters"],
  [/^Too big: expected array to have <=(\d+) items$/, "is given more than $1 times"],
  [/^Too small: expected \w+ to be >=(-?\d+)$/, "must be at least $1"],
  [/^Too big: expected \w+ to be <=(\d+)$/, "must be at most $1"],
  [/^Invalid discriminator value\. Expected (.+)$/, "must be one of $1"],
  [/^Invalid option: expected one of (.+)$/, "must be one of $1"],
  [/^Invalid input$/, "has a wrong value"],
  [
    /^must match \^\[A-Za-z0-9\]\[A-Za-z0-9\._-\]\{0,127\}\$$/,
    "must be letters, digits, '.', '_' and '-', begin with a letter or digit, and have at most 128 characters",
  ],
];

/** Advice that names an action, a param or a method, and what a person does instead. */
const ADVICE: ReadonlyArray<readonly [string, string]> = [
  ["; list_services shows what is", `; \`${SERVER_NAME} services\` shows what is`],
  [": list_deployments shows those", `: \`${SERVER_NAME} deployments\` shows those`],
  [
    "the server does not hold it, upload it with PUT /packages/<name>-<version>.tar.gz",
    `there is no such file here and the server does not hold it; \`${SERVER_NAME} package list\` ` +
    "shows what it holds",
  ],
  ["use replace to change it", "add --replace to change it"],
  ["register it with ttl_ms", "register it with --ttl"],
  [
    "add them with update_service",
    `register it again with --endpoint and --replace`,
  ],
  ["change depends_on of one", "change --depends-on of one"],
  ["or replace it with force", "or replace it with --force"],
  ["raise the version or use ?force=1", "raise the version or use --force"],
  ["again; they are not kept", "again with --secret-file, they are not kept"],
  [
    "this token may only read",
    "this token may only read; give the full one with --token-file or HARNESS_TOKEN",
  ],
  [", see the capabilities in its hello", `; \`${SERVER_NAME} doctor\` shows what it can`],
  [
    'use become: "sudo", another user, or another install root',
    "use --become sudo, another user in --host, or another --install-root",
  ],
  [
    "the idempotency key was used for another request, ",
    "this --idempotency-key belongs to another deployment, choose a new one; it is that of ",
  ],
  [
    "resume_deployment finishes it, rollback_service undoes it",
    `\`${SERVER_NAME} deployments resume\` finishes it, \`${SERVER_NAME} rollback\` undoes it`,
  ],
  ["pass the token option instead", "give the token with --token-file or HARNESS_TOKEN"],
  [
    " ms, look at the state before repeating it",
    " ms; look at the state before repeating it, and give it longer with --timeout",
  ],
  [", look at the state before repeating it", "; look at the state before repeating it"],
  [", try again once it is back", "; try again once it is back"],
  ["Cannot PUT a package: ", ""],
  ["Cannot use the TLS certificate: ", "Cannot use --tls-cert and --tls-key: "],
  ["permissions of the packages directory", "permissions, or choose another with --packages-dir"],
];

/** From here on a message says what a service said: its last line, or what its health check saw. */
const QUOTES_SERVICE = /; its last line was: |\bnot healthy within \d+ ms: /;

/** What the server writes of what its own end has cut off, as the whole of a text or its end. */
const CUT_OFF =
  /(?<=^|^deploy \S+ interrupted: )the server (?:ended while it ran|was shut down); resume_deployment .*$/;

/**
 * Codes of errors that speak of a file of ours, which they name before they say what the system said. Others may
 * quote a service, whose own file names must stay.
 */
const OF_OUR_FILES: ReadonlySet<string> = new Set<ErrorCode>([
  "not_found",
  "already_exists",
  "invalid_params",
  "conflict",
  "forbidden",
  "storage_unavailable",
  "package_invalid",
  "internal",
]);

/** A failed check of one field. */
interface Issue {
  readonly path: string;
  readonly message: string;
}

/** The same error in the words of the command line; code, details and cause stay. */
export function inCliWords(error: HarnessError): HarnessError {
  const message = reworded(error);
  if (message === error.message) return error;
  const { details } = error;
  return new HarnessError(error.code, message, {
    cause: error,
    ...(details === undefined ? {} : { details }),
  });
}

/** The message of an error that is told as part of something else, such as one of a host in a deployment. */
export function textInCliWords({ code, message }: { code: string; message: string }): string {
  const { index: end = message.length } = QUOTES_SERVICE.exec(message) ?? {};
  const ours = ADVICE.reduce(
    (said, [theirs, words]) => said.replace(theirs, words),
    message.slice(0, end),
  );
  return (OF_OUR_FILES.has(code) ? systemWords(ours) : ours) + message.slice(end);
}

/**
 * Why a service is in its state. That may be what the service or its health check said, so only the one sentence of
 * the server's own that has advice in it is told in other words.
 */
export function reasonInCliWords(reason: string): string {
  return reason.replace(CUT_OFF, (said) => textInCliWords({ code: "unavailable", message: said }));
}

/** What an event of a deployment says: that of a host may be what its service said, and stays. */
export function progressInCliWords(message: string, host: string | null): string {
  return host === null ? textInCliWords({ code: "unavailable", message }) : message;
}

/** What is wrong with the fields of an entry, each by its own name: for who wrote them into a file. */
export function fieldIssues(error: HarnessError): string | null {
  const issues = issuesOf(error);
  const name = ({ path }: Issue) => path.replace(/^(params\.)?(service\.)?/, "");
  return issues === null
    ? null
    : issues.map((issue) => `${name(issue)} ${checkText(issue)}`).join("; ");
}

function reworded(error: HarnessError): string {
  const issues = issuesOf(error);
  const [asking, action = ""] = ASKING.exec(error.message) ?? [];
  const does = Object.hasOwn(DOES, action) ? DOES[action as Action] : null;
  if (issues !== null && (does !== null || /^Cannot register a service: /.test(error.message))) {
    const wrong = issues.map((issue) => `${setBy(issue.path)} ${checkText(issue)}`);
    return `Cannot ${does ?? "register the service"}: ${[...new Set(wrong)].join("; ")}`;
  }
  const unsure = asking?.startsWith("Cannot tell") && !READ_ONLY.includes(action as Action);
  const asked = does === null || asking === undefined
    ? error.message
    : `Cannot ${unsure ? "tell whether it worked to " : ""}${does}: ` +
      error.message.slice(asking.length);
  return textInCliWords({ code: error.code, message: transitionText(error) ?? asked });
}

/** A state machine's refusal as an answer to `service start` and `service stop`. */
function transitionText({ code, details }: HarnessError): string | null {
  if (code !== "invalid_transition" || typeof details?.["id"] !== "string") return null;
  const { id, from, to } = details;
  if (to === "stopping") return `Cannot stop "${id}": it does not run, it is ${from}`;
  if (to !== "starting") return null;
  return from === "running"
    ? `Cannot start "${id}": it is running; \`${SERVER_NAME} service restart ${id}\` starts it anew`
    : `Cannot start "${id}": it is ${from}; wait until that is done`;
}

/** An error of the operating system without its number and the name of the call. */
function systemWords(text: string): string {
  return text
    .replace(/\bE[A-Z]{3,}: ([a-z ,]+?), \w+ '[^']*'(?: -> '[^']*')?/g, "$1")
    .replace(/ \(os error \d+\)(?:: \w+ '[^']*'(?: -> '[^']*')?)?/g, "");
}

function issuesOf({ code, details }: HarnessError): Issue[] | null {
  const issues = details?.["issues"];
  if (code !== "invalid_params" || !Array.isArray(issues) || issues.length === 0) return null;
  const sound = (issue: unknown): issue is Issue => {
    const { path, message } = (issue ?? {}) as Partial<Issue>;
    return typeof path === "string" && typeof message === "string";
  };
  return issues.every(sound) ? issues : null;
}

function setBy(path: string): string {
  const field = path.replace(/^params\./, "");
  const known = [field, `service.${field}`].flatMap((whole) =>
    SET_BY.filter(([prefix]) => whole === prefix || whole.startsWith(`${prefix}.`))
  );
  const [, words] = known.reduce<readonly [string, string]>(
    (best, next) => next[0].length > best[0].length ? next : best,
    ["", field],
  );
  return words;
}

function checkText({ message }: Issue): string {
  const known = CHECKS.find(([pattern]) => pattern.test(message));
  return known === undefined ? message : message.replace(...known).replaceAll("' | '", "', '");
}
