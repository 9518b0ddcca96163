/**
 * Parses `manifest.yaml`; every problem has a line, a column and a hint.
 *
 * @module
 */
import type { z } from "zod";
import { isLoaderVariable } from "./loader_env.ts";
import { nearestName } from "../../util/did_you_mean.ts";
import {
  type HardeningSpec,
  type HealthProbe,
  type HealthSpec,
  type Manifest,
  type ManifestEnv,
  PACKAGED_TYPES,
  type PackagedType,
} from "./manifest.ts";
import { allowedKeys } from "./allowed_keys.ts";
import { manifestSchema, type RawManifest } from "./schema.ts";
import { parseDuration } from "../../util/units.ts";
import { manifestError, parseYaml, type YamlPath, type YamlSource } from "./yaml_source.ts";
import type { FileIssue } from "../../util/file_issues.ts";
import { isObject } from "../../util/json.ts";

/**
 * Reads a manifest.
 *
 * @param text The YAML.
 * @param fileName The file name for messages.
 * @returns The manifest with defaults applied and durations in milliseconds.
 * @throws {HarnessError} `package_invalid`; `details.issues` has every mistake's path, line, column and message.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * const manifest = parseManifest("name: hello\nversion: 1.0.0\nstop: {timeout: 2s}\n");
 * assert.equal(manifest.stop.timeoutMs, 2000);
 * assert.equal(manifest.service.type, "managed_process");
 * ```
 */
export function parseManifest(text: string, fileName: string = "manifest.yaml"): Manifest {
  const source = parseYaml(text, { fileName });
  const result = manifestSchema.safeParse(source.data, { reportInput: true });
  const schemaIssues = result.error?.issues ?? [];
  const issues = [
    ...schemaIssues.flatMap((issue) => describeIssue(issue, [], source)),
    ...contradictions(source),
  ];
  if (!result.success || issues.length > 0) throw manifestError(fileName, issues);
  return toManifest(result.data);
}

function describeIssue(
  issue: z.core.$ZodIssue,
  around: YamlPath,
  source: YamlSource,
): FileIssue[] {
  const path = [...around, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => unknownKey(path, key, source));
  }
  if (issue.code === "invalid_union") {
    // A branch that matched the type of the value has the better message.
    const inner = issue.errors.find((issues) => issues.every((i) => isInside(i)));
    if (inner !== undefined && inner.length > 0) {
      return inner.flatMap((i) => describeIssue(i as z.core.$ZodIssue, path, source));
    }
  }
  if (issue.code === "invalid_key") {
    const key = String(issue.path.at(-1));
    const why = issue.issues[0]?.message ?? "is not allowed";
    const place = { ...source.atKey(path.slice(0, -1), key), path: dotted(path) };
    return [{ ...place, message: `${pathText(path)} ${why}` }];
  }
  const missing = issue.code !== "custom" && issue.input === undefined;
  const where = { ...source.at(path), path: dotted(path) };
  if (missing) {
    return [{ ...where, message: `${pathText(path)} is missing: it ${issue.message}` }];
  }
  const meant = issue.code === "invalid_value" ? nearestValue(issue.input, issue.values) : "";
  return [{ ...where, message: `${pathText(path)} ${issue.message}${got(issue.input)}${meant}` }];
}

function nearestValue(input: unknown, values: readonly unknown[]): string {
  const words = values.filter((value) => typeof value === "string");
  const near = typeof input === "string" ? nearestName(input, words) : null;
  return near === null ? "" : `, did you mean "${near}"?`;
}

function isInside(issue: z.core.$ZodIssue): boolean {
  return issue.path.length > 0 || issue.code === "unrecognized_keys";
}

function unknownKey(path: YamlPath, key: string, source: YamlSource): FileIssue {
  const allowed = allowedKeys(path);
  const guess = nearestName(key, allowed);
  const hint = guess === null ? `allowed: ${allowed.join(", ")}` : `did you mean "${guess}"?`;
  const place = path.length === 0 ? "" : ` in ${pathText(path)}`;
  return {
    ...source.atKey(path, key),
    path: dotted([...path, key]),
    message: `unknown key "${key}"${place}; ${hint} (keys of your own begin with x-)`,
  };
}

function got(input: unknown): string {
  if (input === null) return "; it is empty here";
  if (typeof input === "string") {
    return `; got ${JSON.stringify(input.length > 60 ? `${input.slice(0, 60)}…` : input)}`;
  }
  if (typeof input === "number" || typeof input === "boolean") return `; got ${input}`;
  if (Array.isArray(input)) return "; got a list";
  return typeof input === "object" ? "; got a mapping" : "";
}

function pathText(path: YamlPath): string {
  if (path.length === 0) return "the manifest";
  return path.map((part, index) =>
    typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${String(part)}`
  ).join("");
}

function dotted(path: YamlPath): string {
  return path.map(String).join(".");
}

/** Rules over more than one field; what the schema refuses counts as not there. */
function contradictions(source: YamlSource): FileIssue[] {
  const issues: FileIssue[] = [];
  const report = (path: YamlPath, message: string) =>
    issues.push({
      ...source.at(path),
      path: dotted(path),
      message: `${pathText(path)} ${message}`,
    });
  const raw = mapping(source.data);
  const [service, health] = [mapping(raw["service"]), mapping(raw["health"])];
  portProblems(service, health, report);

  const needed = list(raw["depends_on"]);
  needed.forEach((name, index) => {
    if (name === raw["name"]) report(["depends_on", index], "must not be the service itself");
    if (needed.indexOf(name) < index) report(["depends_on", index], "is listed twice");
  });
  const type = service["type"] ?? "managed_process";
  if (!PACKAGED_TYPES.some((known) => known === type)) return issues;
  if (type !== "docker_container" && service["allow_loader_env"] !== true) {
    for (const name of Object.keys(mapping(raw["env"])).filter(isLoaderVariable)) {
      report(
        ["env", name],
        "decides what programs load or execute; set service.allow_loader_env: true to allow it",
      );
    }
  }
  for (const [key, only] of Object.entries(ONLY_FOR)) {
    if (service[key] === undefined || type === only) continue;
    report(["service", key], `is only for ${only}, not for ${type}`);
  }
  return issues;
}

/** Keys of `service` that one type has. */
const ONLY_FOR: Readonly<Record<string, PackagedType>> = {
  image: "docker_container",
  unit: "systemd_service",
  hardening: "managed_process",
};

function portProblems(
  service: Mapping,
  health: Mapping,
  report: (path: YamlPath, message: string) => void,
): void {
  const names = list(service["ports"]).map((port) => mapping(port)["name"]);
  names.forEach((name, index) => {
    if (name === undefined || names.indexOf(name) === index) return;
    report(["service", "ports", index, "name"], "is listed twice");
  });
  const probes: Array<[YamlPath, unknown]> = [
    [["health", "http", "port"], mapping(health["http"])["port"]],
    [["health", "tcp"], health["tcp"]],
  ];
  for (const [path, port] of probes) {
    if (typeof port === "string" && !names.includes(port)) {
      report(path, `must be a port number or one of service.ports (${names.join(", ") || "none"})`);
    }
  }
}

/** A mapping of a manifest. */
type Mapping = Readonly<Record<string, unknown>>;

function mapping(value: unknown): Mapping {
  return isObject(value) ? value : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function toManifest(raw: RawManifest): Manifest {
  const { service = {}, requires = {}, restart = {}, stop = {} } = raw;
  return {
    name: raw.name,
    version: raw.version,
    description: raw.description ?? "",
    service: {
      type: service.type ?? "managed_process",
      start: service.start ?? "foreground",
      user: service.user ?? null,
      ...(service.allow_loader_env === true ? { allowLoaderEnv: true } : {}),
      ports: (service.ports ?? []).map(({ name, port, protocol = "tcp" }) => ({
        name,
        port,
        protocol,
      })),
      image: service.image ?? null,
      unit: service.unit ?? null,
      hardening: toHardening(service.hardening),
    },
    env: Object.fromEntries(
      Object.entries(raw.env ?? {}).map(([name, value]) => [name, toEnv(value)]),
    ),
    dependsOn: raw.depends_on ?? [],
    requires: {
      commands: requires.commands ?? [],
      libraries: requires.libraries ?? [],
      arch: requires.arch ?? [],
    },
    health: raw.health === undefined ? null : toHealth(raw.health),
    restart: {
      policy: restart.policy ?? "on-failure",
      maxRetries: restart.max_retries ?? 5,
      backoffMs: milliseconds(restart.backoff, 1000),
    },
    stop: {
      signal: (stop.signal ?? "TERM").replace(/^SIG/, ""),
      timeoutMs: milliseconds(stop.timeout, 10_000),
    },
  };
}

function toHardening(raw: NonNullable<RawManifest["service"]>["hardening"]): HardeningSpec {
  if (raw === false) return false;
  return raw === undefined || raw === true ? {} : raw as HardeningSpec;
}

function toEnv(value: NonNullable<RawManifest["env"]>[string]): ManifestEnv {
  if (typeof value !== "object") return { value: String(value), required: false, secret: false };
  return {
    value: value.default === undefined ? null : String(value.default),
    required: value.required ?? false,
    secret: value.secret ?? false,
  };
}

function toHealth(raw: NonNullable<RawManifest["health"]>): HealthSpec {
  return {
    probe: toProbe(raw),
    intervalMs: milliseconds(raw.interval, 30_000),
    timeoutMs: milliseconds(raw.timeout, 5000),
    retries: raw.retries ?? 3,
    successes: raw.successes ?? 1,
    startPeriodMs: milliseconds(raw.start_period, 10_000),
  };
}

function toProbe(raw: NonNullable<RawManifest["health"]>): HealthProbe {
  if (raw.script !== undefined) return { type: "script", script: raw.script };
  if (raw.http !== undefined) {
    const { port, path = "/", status = [], body = null } = raw.http;
    return { type: "http", port, path, status: [status].flat(), body };
  }
  // The schema allows exactly one of the three.
  return { type: "tcp", port: raw.tcp ?? 0 };
}

function milliseconds(text: string | undefined, standardMs: number): number {
  return text === undefined ? standardMs : parseDuration(text) ?? standardMs;
}
