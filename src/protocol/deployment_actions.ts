/**
 * Actions on deployments and packages: their params, data and rights.
 *
 * @module
 */
import { serviceIdSchema, serviceNameSchema } from "../model/entry_schema.ts";
import { z } from "zod";
import {
  type DeployFailure,
  DEPLOYMENT_KINDS,
  type DeploymentKind,
  type DeploymentStatus,
  type DeployStep,
  type HostOutcome,
  UNREACHABLE_POLICIES,
  type UnreachablePolicy,
} from "../model/deployment.ts";
import { MAX_HOSTS, MAX_PAGE_SIZE } from "../model/limits.ts";
import { lineOf, processTextOf, versionSchema } from "../model/service_schema.ts";
import type { Target } from "../model/target.ts";
import { targetSchema, targetsSchema } from "../model/target_schema.ts";
import { type ActionTable, countSchema, emptySchema } from "./action_table.ts";
import {
  deploymentStatusSchema,
  deployStepSchema,
  failureSchema,
  hostOutcomeSchema,
  timeSchema,
} from "./events.ts";

/** How a deployment treats its hosts. */
export interface StrategySpec {
  /** Hosts at once. @default {10} */
  parallel?: number;
  /** Hosts that go first, alone; the rest follows only when they are fine. @default {0} */
  canary?: number;
  /** Failed hosts after which no new host is started. @default {0} */
  max_failures?: number;
  /** Whether an unreachable host counts as a failure. @default {"fail"} */
  on_unreachable?: UnreachablePolicy;
}

/** One host's part of a deployment. */
export interface DeploymentHost {
  /** Host label as given. */
  host: string;
  /** How it ended, or `null` while it has not. */
  outcome: HostOutcome | null;
  /** The step it is at or ended at, or `null` before the first. */
  step: DeployStep | null;
  /** When it began there, RFC 3339 UTC. Left out before, and in records of earlier versions. */
  started_at?: string;
  /** When it ended there. */
  finished_at?: string;
  /** What went wrong. */
  error?: DeployFailure;
}

/** A deployment, under way or ended. */
export interface Deployment {
  /** Id, `d-…`. */
  deployment_id: string;
  /** Package file name. */
  package: string;
  /** Service name. */
  service: string;
  /** Version deployed, where known. */
  version: string | null;
  /** Who asked for it: the kind or the name of the token. Records of earlier versions have none. */
  by?: string;
  /** Whether it deploys or rolls back. */
  kind: DeploymentKind;
  /** Its status. */
  status: DeploymentStatus;
  /** When it began, RFC 3339 UTC. */
  started_at: string;
  /** When it ended, or `null`. */
  finished_at: string | null;
  /** Per host. */
  hosts: DeploymentHost[];
}

/** A package that the server holds. */
export interface PackageInfo {
  /** File name, `<name>-<version>.tar.gz`. */
  file: string;
  /** Package name. */
  name: string;
  /** Package version. */
  version: string;
  /** Size in bytes. */
  size: number;
  /** SHA-256 of the file, hex. */
  sha256: string;
}

/** Params and data of the actions on deployments and packages. */
export interface DeploymentActions {
  /** Starts a deployment and answers at once; the rest comes as events. */
  deploy_package: {
    params: {
      package: string;
      target?: Target;
      targets?: Target[];
      env?: Record<string, string>;
      secrets?: Record<string, string>;
      strategy?: StrategySpec;
      idempotency_key?: string;
      force?: boolean;
      sha256?: string;
    };
    data: { deployment_id: string };
  };
  /** One deployment. */
  get_deployment: { params: { deployment_id: string }; data: Deployment };
  /** All deployments that are kept, newest first. */
  list_deployments: {
    params: { service?: string; limit?: number };
    data: Deployment[];
  };
  /** Stops starting hosts and rolls back those in flight. */
  cancel_deployment: { params: { deployment_id: string }; data: Deployment };
  /** Starts a deployment of the last good (or the given) version. */
  rollback_service: {
    params: { name: string; version?: string; targets?: Target[] };
    data: { deployment_id: string };
  };
  /** Starts an ended deployment again on the hosts where it did not end well. */
  resume_deployment: {
    params: { deployment_id: string; secrets?: Record<string, string> };
    data: { deployment_id: string };
  };
  /** The packages the server holds. */
  list_packages: { params: Record<string, never>; data: PackageInfo[] };
}

/** Env names as POSIX has them. */
const env = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be a name of letters, digits and _"),
  processTextOf(64 * 1024),
);

const strategy: z.ZodType<StrategySpec> = z.object({
  parallel: z.int().min(1).max(MAX_HOSTS).exactOptional(),
  canary: z.int().min(0).max(MAX_HOSTS).exactOptional(),
  max_failures: z.int().min(0).max(MAX_HOSTS).exactOptional(),
  on_unreachable: z.enum(UNREACHABLE_POLICIES).exactOptional(),
});

const deploymentId = lineOf(128);
const oneDeployment = z.object({ deployment_id: deploymentId });
const started = z.object({ deployment_id: z.string() });

const deployment: z.ZodType<Deployment> = z.object({
  deployment_id: z.string(),
  package: z.string(),
  service: z.string(),
  version: z.string().nullable(),
  kind: z.enum(DEPLOYMENT_KINDS),
  by: z.string().exactOptional(),
  status: deploymentStatusSchema,
  started_at: timeSchema,
  finished_at: timeSchema.nullable(),
  hosts: z.array(z.object({
    host: z.string(),
    outcome: hostOutcomeSchema.nullable(),
    step: deployStepSchema.nullable(),
    started_at: timeSchema.exactOptional(),
    finished_at: timeSchema.exactOptional(),
    error: failureSchema.exactOptional(),
  })),
});

const packageInfo: z.ZodType<PackageInfo> = z.object({
  file: z.string(),
  name: z.string(),
  version: z.string(),
  size: countSchema,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** The actions on deployments and packages. */
export const DEPLOYMENT_ACTIONS: ActionTable<DeploymentActions> = {
  deploy_package: {
    right: "control",
    params: z.object({
      package: lineOf(512),
      target: targetSchema.exactOptional(),
      targets: targetsSchema.exactOptional(),
      env: env.exactOptional(),
      secrets: env.exactOptional(),
      strategy: strategy.exactOptional(),
      idempotency_key: lineOf(256).exactOptional(),
      force: z.boolean().exactOptional(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits")
        .exactOptional(),
    }).refine(
      (p) => (p.target === undefined) !== (p.targets === undefined),
      "must have either target or targets",
    ),
    data: started,
  },
  get_deployment: { right: "read", params: oneDeployment, data: deployment },
  list_deployments: {
    right: "read",
    params: z.object({
      service: serviceNameSchema.exactOptional(),
      limit: z.int().min(1).max(MAX_PAGE_SIZE).exactOptional(),
    }),
    data: z.array(deployment),
  },
  cancel_deployment: { right: "control", params: oneDeployment, data: deployment },
  rollback_service: {
    right: "control",
    params: z.object({
      name: serviceIdSchema,
      version: versionSchema.exactOptional(),
      targets: targetsSchema.exactOptional(),
    }),
    data: started,
  },
  resume_deployment: {
    right: "control",
    params: z.object({ deployment_id: deploymentId, secrets: env.exactOptional() }),
    data: started,
  },
  list_packages: { right: "read", params: emptySchema, data: z.array(packageInfo) },
};
