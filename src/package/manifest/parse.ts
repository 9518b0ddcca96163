/**
 * Parses `manifest.yaml`; every problem has a line, a column and a hint.
 *
 * @module
 */
import type { z } from "zod";
import { isLoaderVariable } from "./loader_env.ts";
import { nearestName } from "../../util/did_you_mean.ts";
import type { HardeningSpec, HealthProbe, HealthSpec, Manifest, ManifestEnv } from "./manifest.ts";
import { allowedKeys } from "./allowed_keys.ts";
import { manifestSchema, type RawManifest } from "./schema.ts";
import { parseDuration } from "../../util/units.ts";
import {
  parseYaml,
  sourceError,
  type SourceProblem,
  type YamlPath,
  type YamlSource,
} from "./yaml_source.ts";

/**
 * Reads a manifest.
 *
 * @param text The YAML.
 * @param fileName The file name for messages.
 * @returns The manifest with defaults applied and durations in milliseconds.
 * @throws {HarnessError} `package_invalid`; `details.problems` has every problem's line, column and message.
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
  const source = parseYaml(text, fileName);
  const result = manifestSchema.safeParse(source.data, { reportInput: true });
  const problems = result.success
    ? contradictions(result.data, source)
    : result.error.issues.flatMap((issue) => describeIssue(issue, [], source));
  if (!result.success || problems.length > 0) throw sourceError(fileName, problems);
  return toManifest(result.data);
}

function describeIssue(
  issue: z.core.$ZodIssue,
  around: YamlPath,
  source: YamlSource,
): SourceProblem[] {
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
    return [{ ...source.atKey(path.slice(0, -1), key), message: `${pathText(path)} ${why}` }];
  }
  const missing = issue.code !== "custom" && issue.input === undefined;
  const where = source.at(path);
  if (missing) {
    return [{ ...where, message: `${pathText(path)} is missing: it ${issue.message}` }];
  }
  return [{ ...where, message: `${pathText(path)} ${issue.message}${got(issue.input)}` }];
}

function isInside(issue: z.core.$ZodIssue): boolean {
  return issue.path.length > 0 || issue.code === "unrecognized_keys";
}

function unknownKey(path: YamlPath, key: string, source: YamlSource): SourceProblem {
  const allowed = allowedKeys(path);
  const guess = nearestName(key, allowed);
  const hint = guess === null ? `allowed: ${allowed.join(", ")}` : `did you mean "${guess}"?`;
  const place = path.length === 0 ? "" : ` in ${pathText(path)}`;
  return {
    ...source.atKey(path, key),
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

/** Rules over more than one field. */
function contradictions(raw: RawManifest, source: YamlSource): SourceProblem[] {
  const problems: SourceProblem[] = [];
  const report = (path: YamlPath, message: string) =>
    problems.push({ ...source.at(path), message: `${pathText(path)} ${message}` });

  const ports = raw.service?.ports ?? [];
  const names = ports.map((port) => port.name);
  names.forEach((name, index) => {
    if (names.indexOf(name) < index) report(["service", "ports", index, "name"], "is listed twice");
  });
  const probes: Array<[YamlPath, string | number | undefined]> = [
    [["health", "http", "port"], raw.health?.http?.port],
    [["health", "tcp"], raw.health?.tcp],
  ];
  for (const [path, port] of probes) {
    if (typeof port === "string" && !names.includes(port)) {
      report(path, `must be a port number or one of service.ports (${names.join(", ") || "none"})`);
    }
  }
  const needed = raw.depends_on ?? [];
  needed.forEach((name, index) => {
    if (name === raw.name) report(["depends_on", index], "must not be the service itself");
    if (needed.indexOf(name) < index) report(["depends_on", index], "is listed twice");
  });
  const type = raw.service?.type ?? "managed_process";
  if (raw.service?.image !== undefined && type !== "docker_container") {
    report(["service", "image"], `is only for docker_container, not for ${type}`);
  }
  if (type !== "docker_container" && raw.service?.allow_loader_env !== true) {
    for (const name of Object.keys(raw.env ?? {}).filter(isLoaderVariable)) {
      report(
        ["env", name],
        "decides what programs load or execute; set service.allow_loader_env: true to allow it",
      );
    }
  }
  if (raw.service?.unit !== undefined && type !== "systemd_service") {
    report(["service", "unit"], `is only for systemd_service, not for ${type}`);
  }
  if (raw.service?.hardening !== undefined && type !== "managed_process") {
    report(["service", "hardening"], `is only for managed_process, not for ${type}`);
  }
  return problems;
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
