/**
 * The environment of a release's scripts, and the file that carries it. Pure.
 *
 * @module
 */
import { driverFor } from "../lifecycle/drivers/table.ts";
import { HarnessError } from "../errors.ts";
import { isLoaderVariable } from "../package/manifest/loader_env.ts";
import type { Manifest, ManifestPort } from "../package/manifest/manifest.ts";

/** Facts of the release that become `HARNESS_*`. */
export interface GeneratedEnv {
  /** Release directory. */
  installDir: string;
  /** Data that outlives releases. */
  dataDir: string;
  /** Log directory. */
  logDir: string;
  /** Address of the host. */
  host: string;
}

/** Variables from outside the manifest, lowest precedence first. */
export interface EnvSources {
  /** Addresses of the dependencies. */
  dependencies?: Readonly<Record<string, string>> | undefined;
  /** Of the deployment. */
  plan?: Readonly<Record<string, string>> | undefined;
  /** Of the host. */
  host?: Readonly<Record<string, string>> | undefined;
  /** Secrets of the deployment. */
  secrets?: Readonly<Record<string, string>> | undefined;
}

/** `text` as part of an environment variable's name. */
export function envName(text: string): string {
  return text.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");
}

/** The variable that holds, and overrides, the port named `name`. */
function portVariable(name: string): string {
  return `HARNESS_PORT_${envName(name)}`;
}

/** The manifest's ports, overridden by `HARNESS_PORT_<NAME>` from outside. */
export function effectivePorts(manifest: Manifest, sources: EnvSources): ManifestPort[] {
  const outer = outside(sources);
  return manifest.service.ports.map((port) => {
    const text = outer[portVariable(port.name)];
    if (text === undefined) return port;
    const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    if (number < 1 || number > 65535) {
      throw new HarnessError(
        "invalid_params",
        `Cannot deploy ${manifest.name}: ${
          portVariable(port.name)
        } must be a port from 1 to 65535, not "${text}"`,
      );
    }
    return { ...port, port: number };
  });
}

/** Rejects invalid names, NUL bytes, loader variables, and required variables that are not set. */
export function checkEnv(manifest: Manifest, sources: EnvSources): void {
  const outer = outside(sources);
  for (const [key, value] of Object.entries(outer)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) {
      throw new HarnessError(
        "invalid_params",
        `Cannot deploy ${manifest.name}: "${key}" is not a valid variable name; use letters, digits and _`,
      );
    }
    if (value.includes("\0")) {
      throw new HarnessError(
        "invalid_params",
        `Cannot deploy ${manifest.name}: the value of ${key} contains a NUL byte`,
      );
    }
  }
  const { type, allowLoaderEnv = false } = manifest.service;
  const loader = Object.keys(outer).filter(isLoaderVariable);
  if (loader.length > 0 && !allowLoaderEnv && !driverFor({ type }).isolated) {
    throw new HarnessError(
      "invalid_params",
      `Cannot deploy ${manifest.name}: ${
        loader.join(", ")
      } can make its programs load or execute other code, which its manifest does not allow; ` +
        `leave it out or set service.allow_loader_env: true`,
      { details: { reason: "loader_env", names: loader } },
    );
  }
  const missing = Object.entries(manifest.env)
    .filter(([key, spec]) => spec.required && spec.value === null && outer[key] === undefined)
    .map(([key]) => key);
  if (missing.length > 0) {
    throw new HarnessError(
      "invalid_params",
      `Cannot deploy ${manifest.name}: its manifest requires ${
        missing.join(", ")
      }; set each with --secret-file, or --env if it is not secret`,
      { details: { missing } },
    );
  }
}

/** All variables of a release, sorted by name. */
export function releaseEnv(
  manifest: Manifest,
  generated: GeneratedEnv,
  sources: EnvSources,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [key, spec] of Object.entries(manifest.env)) {
    if (spec.value !== null) env[key] = spec.value;
  }
  Object.assign(env, outside(sources), generatedEnv(manifest, generated));
  for (const port of effectivePorts(manifest, sources)) {
    env[portVariable(port.name)] = String(port.port);
  }
  // Set by every start, to identify the run.
  delete env["HARNESS_RUN"];
  return Object.fromEntries(Object.entries(env).sort(([a], [b]) => a < b ? -1 : 1));
}

function outside(sources: EnvSources): Record<string, string> {
  return { ...sources.dependencies, ...sources.plan, ...sources.host, ...sources.secrets };
}

function generatedEnv(manifest: Manifest, generated: GeneratedEnv): Record<string, string> {
  return {
    HARNESS_SERVICE: manifest.name,
    HARNESS_VERSION: manifest.version,
    HARNESS_INSTALL_DIR: generated.installDir,
    HARNESS_DATA_DIR: generated.dataDir,
    HARNESS_LOG_DIR: generated.logDir,
    HARNESS_HOST: generated.host,
  };
}
