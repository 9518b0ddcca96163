/**
 * Translates a client's request to the record and the strategy of a deployment.
 *
 * @module
 */
import type { DeployStrategy } from "../../deploy/plan.ts";
import { HarnessError } from "../../errors.ts";
import type { DeploymentKind } from "../../model/deployment.ts";
import type { Manifest } from "../../package/manifest/manifest.ts";
import type { ActionParams, StrategySpec, Target } from "../../protocol/actions.ts";
import type { DeploymentRecord } from "./deployment_records.ts";
import type { Host } from "../hosts/host_directory.ts";

/** Sources of a new record. */
export interface RecordInput {
  /** Deploy or rollback. */
  kind: DeploymentKind;
  /** The client. */
  by: string;
  /** Package file name, or the service's name for a rollback. */
  package: string;
  /** Service name. */
  service: string;
  /** Requested version, or `null` for the last good one. */
  version: string | null;
  /** Digest of the package. */
  sha256: string | null;
  /** The hosts. */
  hosts: readonly Host[];
  /** The request's params; all secrets in `secrets`, see {@linkcode withSecretsApart}. */
  params: ActionParams<"deploy_package"> | ActionParams<"rollback_service">;
}

/** Variables of a service, plain and secret ones. */
export interface Variables {
  /** Plain environment. */
  env: Record<string, string>;
  /** Secrets. */
  secrets: Record<string, string>;
}

/**
 * Moves every variable that the manifest declares secret to the secrets: plain ones are stored, shown and compared.
 */
export function withSecretsApart(
  { env: declared }: Pick<Manifest, "env">,
  given: { env?: Record<string, string>; secrets?: Record<string, string> },
): Variables {
  const isSecret = ([name]: [string, string]) =>
    Object.hasOwn(declared, name) && declared[name]?.secret === true;
  const all = Object.entries(given.env ?? {});
  return {
    env: Object.fromEntries(all.filter((pair) => !isSecret(pair))),
    secrets: { ...Object.fromEntries(all.filter(isSecret)), ...given.secrets },
  };
}

/** A record of a deployment that is about to begin. */
export function newRecord(input: RecordInput): DeploymentRecord {
  const { env = {}, secrets = {}, strategy = {}, idempotency_key = null } = input.params as Partial<
    ActionParams<"deploy_package">
  >;
  return {
    deployment: {
      deployment_id: newDeploymentId(),
      package: input.package,
      service: input.service,
      version: input.version,
      kind: input.kind,
      by: input.by,
      status: "queued",
      started_at: new Date().toISOString(),
      finished_at: null,
      hosts: input.hosts.map((host) => ({ host: host.label, outcome: null, step: null })),
    },
    targets: input.hosts.map((host) => host.target),
    ids: [],
    env,
    secret_names: Object.keys(secrets).sort(),
    strategy,
    sha256: input.sha256,
    idempotency_key,
    // Names of secrets only: a hash of a value that is easily guessed would reveal it.
    fingerprint: JSON.stringify([
      input.kind,
      input.package,
      input.sha256,
      input.hosts.map(fingerprintOf),
      Object.entries(env).sort(),
      Object.keys(secrets).sort(),
    ]),
  };
}

/** Fingerprint of one host of a request, with its login, how root is obtained, and its install root. */
function fingerprintOf({ label, target }: Host): unknown {
  if (target === "local") return label;
  const { identity_file, install_root, become } = target;
  const more = { identity_file, install_root, become };
  return Object.values(more).every((value) => value === undefined) ? label : [label, more];
}

/**
 * The request for the hosts on which a deployment did not succeed.
 *
 * @throws {HarnessError} `conflict` when it runs or everything is done, `invalid_params` when secrets are
 * missing: they are not kept.
 */
export function resumeParams(
  record: DeploymentRecord,
  secrets: Record<string, string>,
): ActionParams<"deploy_package"> & { targets: Target[] } {
  const { deployment, targets } = record;
  const id = deployment.deployment_id;
  const left = targets.filter((_, at) => deployment.hosts[at]?.outcome !== "ok");
  if (deployment.finished_at === null || left.length === 0) {
    const why = left.length === 0 ? "it succeeded on every host" : "it is running";
    throw new HarnessError("conflict", `Cannot resume ${id}: ${why}`, {
      details: { deployment_id: id, status: deployment.status },
    });
  }
  const missing = record.secret_names.filter((name) => !Object.hasOwn(secrets, name));
  if (missing.length > 0) {
    throw new HarnessError(
      "invalid_params",
      `Cannot resume ${id}: give the secrets ${
        missing.join(", ")
      } again, because they are not stored`,
      { details: { reason: "secrets_missing", deployment_id: id, missing } },
    );
  }
  return {
    package: deployment.package,
    targets: left,
    env: record.env,
    secrets,
    strategy: record.strategy,
  };
}

/** A new deployment id: `d-`, the time to the second, and random digits. */
export function newDeploymentId(now: Date = new Date()): string {
  const time = now.toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
  return `d-${time}-${crypto.randomUUID().slice(0, 8)}`;
}

/** The strategy in the form that `deploy()` takes. */
export function strategyOf(spec: StrategySpec = {}): DeployStrategy {
  return {
    ...(spec.parallel === undefined ? {} : { parallel: spec.parallel }),
    ...(spec.canary === undefined ? {} : { canary: spec.canary }),
    ...(spec.max_failures === undefined ? {} : { maxFailures: spec.max_failures }),
    ...(spec.on_unreachable === undefined ? {} : { onUnreachable: spec.on_unreachable }),
  };
}
