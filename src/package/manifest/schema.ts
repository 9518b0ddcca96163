/**
 * The shape of `manifest.yaml` as a zod schema, before defaults are filled in.
 *
 * The messages here complete a sentence that begins with the field: "service.type must be one of …".
 *
 * @module
 */
import { z } from "zod";
import {
  MAX_MANIFEST_DURATION_MS,
  MAX_MANIFEST_ITEMS,
  MAX_VERSION_LENGTH,
  MIN_MANIFEST_DURATION_MS,
} from "../limits.ts";
import { MAX_TEXT_LENGTH } from "../../model/limits.ts";
import {
  HARDENING_DEFAULTS,
  type HardeningName,
  PACKAGED_TYPES,
  RESTART_POLICIES,
  START_MODES,
} from "./manifest.ts";
import { PACKAGE_NAME, SEMVER } from "../names.ts";
import { parseDuration } from "../../util/units.ts";
import { isObject } from "../../util/json.ts";

/** Stricter than flags: no space, and what the published JSON schema promises. */
const DURATION = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/;
const SIGNALS = /^(?:SIG)?(?:TERM|INT|QUIT|HUP|USR1|USR2|KILL|WINCH)$/;

const rule = (error: string) => ({ error });

function text(pattern: RegExp, error: string, description: string) {
  return z.string(rule(error)).regex(pattern, rule(error)).describe(description);
}

function duration(description: string, standard: string) {
  const form = rule("must be a duration such as 500ms, 10s, 2m or 1h");
  const range = rule("must be a duration from 10ms to 24h");
  return z.string(form).regex(DURATION, form).refine((value) => {
    const ms = parseDuration(value);
    return ms === null ||
      (ms >= MIN_MANIFEST_DURATION_MS && ms <= MAX_MANIFEST_DURATION_MS);
  }, range).describe(`${description} Default: ${standard}.`).optional();
}

function count(minimum: number, maximum: number, description: string) {
  const error = rule(`must be a whole number from ${minimum} to ${maximum}`);
  return z.int(error).min(minimum, error).max(maximum, error).describe(description);
}

function list<T extends z.ZodType>(item: T, description: string) {
  return z.array(item, rule("must be a list"))
    .max(MAX_MANIFEST_ITEMS, rule(`must have at most ${MAX_MANIFEST_ITEMS} items`))
    .describe(description).optional();
}

const name = text(
  PACKAGE_NAME,
  "must be 1 to 128 of A-Z a-z 0-9 . _ -, beginning with a letter or digit",
  "Package and service name.",
);
const portNumber = count(1, 65535, "Port number.");
const portName = text(
  /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/,
  "must be 1 to 63 of A-Z a-z 0-9 _ -, beginning with a letter or digit",
  "Port name.",
);
const portRef = z.union([portName, portNumber], rule("must be the name of a port or a port number"))
  .describe("Name of a port in service.ports, or a port number.");
const words = "must be text of one line";
const oneLine = (description: string) =>
  z.string(rule(words)).min(1, rule("must not be empty")).max(
    MAX_TEXT_LENGTH,
    rule(`must have at most ${MAX_TEXT_LENGTH} characters`),
  ).regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u, rule(words)).describe(description);
/** A word that is asked for on a host: no flag, no glob. */
const word = (description: string) =>
  oneLine(description).regex(
    /^(?:[^\s*?-][^\s*?]*)?$/,
    rule("must be one word that does not begin with - and holds no * or ?"),
  );

const port = z.strictObject({
  name: portName,
  port: portNumber,
  protocol: text(
    /^[a-z][a-z0-9+.-]{0,31}$/,
    "must be a protocol such as http, https, grpc, tcp, udp or websocket",
    "Protocol spoken there. Default: tcp.",
  ).optional(),
}, rule("must be a mapping with name and port"));

const onOrOff = rule("must be true or false");
const hardening = z.union([
  z.boolean(onOrOff),
  z.strictObject(
    Object.fromEntries(
      Object.entries(HARDENING_DEFAULTS).map(([name, on]) => [
        name,
        z.boolean(onOrOff).describe(`Default: ${on}.`).optional(),
      ]),
    ) as Record<HardeningName, z.ZodOptional<z.ZodBoolean>>,
    rule("must be a mapping of settings to true or false"),
  ),
], rule("must be true, false, or a mapping of settings to true or false")).describe(
  "managed_process: how systemd confines it where it runs as a unit. Default: true.",
);

const service = z.strictObject({
  type: z.enum(PACKAGED_TYPES, rule(`must be one of ${PACKAGED_TYPES.join(", ")}`))
    .describe("How the service runs. Default: managed_process.").optional(),
  start: z.enum(START_MODES, rule(`must be ${START_MODES.join(" or ")}`))
    .describe("Whether scripts/start.sh stays or returns. Default: foreground.").optional(),
  user: text(
    /^[a-z_][a-z0-9_-]{0,30}\$?$/,
    "must be a user name: 1 to 31 of a-z 0-9 _ -, beginning with a letter or _",
    "User it runs as. Default: the deploying user.",
  ).optional(),
  allow_loader_env: z.boolean(rule("must be true or false"))
    .describe("Whether env may set variables such as LD_PRELOAD or BASH_ENV. Default: false.")
    .optional(),
  ports: list(port, "Ports that it listens on."),
  image: text(
    /^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}$/,
    "must be an image reference such as registry/name:tag",
    "docker_container: the image. Default: the one in image.tar.",
  ).optional(),
  unit: text(
    /^[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,240}\.service$/,
    "must be a unit name that ends in .service",
    "systemd_service: the unit. Default: <name>.service.",
  ).optional(),
  hardening: hardening.optional(),
}, rule("must be a mapping"));

const envText = z.union([
  z.string().max(64 * 1024).regex(/^[^\0]*$/),
  z.number(),
  z.boolean(),
]);
const envValue = z.union([
  envText,
  z.strictObject({
    default: envText.describe("Value when a deployment gives none.").optional(),
    required: z.boolean(rule("must be true or false"))
      .describe("Refuse a deployment without a value.").optional(),
    secret: z.boolean(rule("must be true or false"))
      .describe("Never show the value.").optional(),
  }),
], rule("must be text, a number, true, false, or a mapping of default, required, secret"));

const env = z.record(
  z.string().regex(
    /^[A-Za-z_][A-Za-z0-9_]{0,255}$/,
    rule("must be a variable name: letters, digits and _, not beginning with a digit"),
  ),
  envValue,
  rule("must be a mapping of names to values"),
).refine(
  (value) => Object.keys(value).length <= MAX_MANIFEST_ITEMS,
  rule(`must have at most ${MAX_MANIFEST_ITEMS} variables`),
).describe("Environment of the service, by name.");

const requires = z.strictObject({
  commands: list(word("A command."), "Absolute paths, or names on PATH."),
  libraries: list(word("A library."), "Shared libraries as `ldconfig -p` prints them."),
  arch: list(word("A machine."), "Values of `uname -m`. Default: any."),
}, rule("must be a mapping of commands, libraries, arch")).describe("What the host must have.");

const status = count(100, 599, "An HTTP status.");
const http = z.strictObject({
  port: portRef,
  path: text(/^\/[\x21-\x7e]*$/, "must be a path that begins with /", "Path. Default: /.")
    .optional(),
  status: z.union([status, z.array(status).min(1).max(50)], rule("must be a status or a list"))
    .describe("Accepted statuses. Default: 200 to 399.").optional(),
  body: oneLine("Text that the body must contain.").optional(),
}, rule("must be a mapping with port and path"));

const health = z.strictObject({
  script: text(
    /^(?![/-])(?!.*(?:^|\/)\.{1,2}(?:\/|$))[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\\]+$/u,
    "must be a path inside the package, such as scripts/health.sh",
    "Script inside the package: exit 0 is healthy.",
  ).optional(),
  http: http.describe("HTTP request on 127.0.0.1.").optional(),
  tcp: portRef.optional(),
  interval: duration("Time between checks.", "30s"),
  timeout: duration("Time after which a check is killed.", "5s"),
  retries: count(1, 1000, "Failures in a row that make it unhealthy. Default: 3.").optional(),
  successes: count(1, 1000, "Successes in a row that make it healthy. Default: 1.").optional(),
  start_period: duration("Time after the start in which failures do not count.", "10s"),
}, rule("must be a mapping")).refine(
  (value) =>
    [value.script, value.http, value.tcp].filter((probe) => probe !== undefined).length === 1,
  // Also where another key is wrong: all mistakes are reported at once.
  { error: "must have exactly one of script, http, tcp", when: ({ value }) => isObject(value) },
).describe("Health check.");

const restart = z.strictObject({
  policy: z.enum(RESTART_POLICIES, rule(`must be one of ${RESTART_POLICIES.join(", ")}`))
    .describe("When it is started again. Default: on-failure.").optional(),
  max_retries: count(0, 100_000, "Starts in a row before giving up. Default: 5.").optional(),
  backoff: duration("First pause, doubled each time.", "1s"),
}, rule("must be a mapping")).describe("Restart policy.");

const stop = z.strictObject({
  signal: text(
    SIGNALS,
    "must be one of TERM, INT, QUIT, HUP, USR1, USR2, KILL, WINCH",
    "Signal for the process group. Default: TERM.",
  ).optional(),
  timeout: duration("Time after which it is killed.", "10s"),
}, rule("must be a mapping")).describe("How the service is stopped.");

const versionRule = "must be a SemVer version such as 1.2.3 or 1.2.3-rc.1 (in quotes if YAML " +
  "would read a number)";
const dependency = text(
  PACKAGE_NAME,
  "must be a service name: A-Z a-z 0-9 . _ -, beginning with a letter or digit",
  "A service name.",
);

/** The whole of `manifest.yaml`, `x-` keys already taken out. */
export const manifestSchema = z.strictObject({
  name,
  version: z.string(rule(versionRule)).regex(SEMVER, rule(versionRule))
    .max(MAX_VERSION_LENGTH, rule(`must have at most ${MAX_VERSION_LENGTH} characters`))
    .describe("SemVer version."),
  description: z.string(rule("must be text")).max(
    MAX_TEXT_LENGTH,
    rule(`must have at most ${MAX_TEXT_LENGTH} characters`),
  ).describe("What it is, in a line.").optional(),
  service: service.describe("How it runs.").optional(),
  env: env.optional(),
  depends_on: list(dependency, "Names of the services it needs."),
  requires: requires.optional(),
  health: health.optional(),
  restart: restart.optional(),
  stop: stop.optional(),
}, rule("must be a mapping of keys such as name and version"));

/** What the schema accepts. */
export type RawManifest = z.infer<typeof manifestSchema>;
