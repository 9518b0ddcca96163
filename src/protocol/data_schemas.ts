/**
 * The schema of every action's data: what docs/schema is generated from and what tests hold the server to.
 *
 * @module
 */
import { z } from "zod";
import { DEPLOYMENT_KINDS } from "../model/deployment.ts";
import {
  endpointSchema,
  SERVICE_ACTIONS,
  serviceEntrySchema,
  serviceStateSchema,
} from "../model/service.ts";
import {
  type Action,
  type ActionData,
  type Deployment,
  namedEventSchema,
  type PackageInfo,
  RESUME_MODES,
} from "./actions.ts";
import {
  deploymentStatusSchema,
  deployStepSchema,
  failureSchema,
  hostOutcomeSchema,
  timeSchema,
} from "./event_schemas.ts";
import type { WireEventType } from "./messages.ts";

const names = z.array(z.string());
const count = z.int().nonnegative();
const services = z.array(serviceEntrySchema);
const started = z.object({ deployment_id: z.string() });
const subscribed: z.ZodType<WireEventType[]> = z.array(namedEventSchema);
// The endpoint's schema does not show that it is an object, so it cannot be extended.
const resolvedEndpoint = z.intersection(endpointSchema, z.object({ id: z.string() }));

/** Schema of {@linkcode Deployment}. */
export const deploymentSchema: z.ZodType<Deployment> = z.object({
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
    error: failureSchema.exactOptional(),
  })),
});

/** Schema of {@linkcode PackageInfo}. */
export const packageInfoSchema: z.ZodType<PackageInfo> = z.object({
  file: z.string(),
  name: z.string(),
  version: z.string(),
  size: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** The schema of each action's data. */
export const ACTION_DATA: { readonly [A in Action]: z.ZodType<ActionData<A>> } = {
  list_services: z.union([
    services,
    z.object({ services, next_cursor: z.string().nullable(), seq: count }),
  ]),
  get_service: serviceEntrySchema,
  register_service: serviceEntrySchema,
  update_service: serviceEntrySchema,
  deregister_service: z.object({ removed: z.literal(true) }),
  heartbeat: z.object({ expires_at: timeSchema }),
  service_action: z.object({
    service: z.string(),
    old_state: serviceStateSchema,
    new_state: serviceStateSchema,
    waves: z.array(names).exactOptional(),
    plan: z.array(z.object({
      action: z.enum(SERVICE_ACTIONS),
      services: names,
    })).exactOptional(),
  }),
  list_endpoints: z.record(z.string(), z.array(endpointSchema)),
  resolve_endpoint: z.array(resolvedEndpoint),
  get_dependencies: z.object({
    dependencies: names,
    dependents: names,
    unmet: names,
    start_order: z.array(names),
  }),
  service_logs: z.object({ lines: names }),
  deploy_package: started,
  get_deployment: deploymentSchema,
  list_deployments: z.array(deploymentSchema),
  cancel_deployment: deploymentSchema,
  resume_deployment: started,
  rollback_service: started,
  list_packages: z.array(packageInfoSchema),
  subscribe: z.object({
    subscribed,
    subscription: z.string(),
    epoch: z.string(),
    seq: count,
    resumed: z.enum(RESUME_MODES),
  }),
  unsubscribe: z.object({ subscribed }),
};
