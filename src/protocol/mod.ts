/**
 * The protocol `harness.v1`: messages, actions, and the services, events and deployments they are about.
 *
 * Pure code without a runtime API, shared by server and client. Use it to write a client or server of your own; docs/protocol.md
 * is the specification.
 *
 * @example Encode a request, and read what a server sends
 * ```ts
 * import assert from "node:assert/strict";
 * import { encodeRequest, parseServerMessage } from "@harness/service-registry/protocol";
 *
 * assert.equal(
 *   encodeRequest("1", "get_service", { name: "web" }),
 *   '{"id":"1","type":"request","action":"get_service","params":{"name":"web"}}',
 * );
 * const message = parseServerMessage('{"id":"1","type":"response","data":{"seq":7}}');
 * assert.equal(message.type, "response");
 * ```
 *
 * @module
 */
export { ACTION_NAMES, isAction } from "./actions.ts";
export { RESUME_MODES } from "./subscription_actions.ts";
export type {
  Action,
  ActionData,
  ActionMap,
  ActionParams,
  ActionStep,
  Deployment,
  DeploymentActions,
  DeploymentHost,
  LifecycleActions,
  PackageInfo,
  RegistryActions,
  ResumeMode,
  StrategySpec,
  SubscribableEvent,
  SubscriptionActions,
} from "./actions.ts";
export { encodeRequest, parseServerMessage } from "./codec.ts";
export { CLOSE_CODES, PROTOCOL_VERSION, SUBPROTOCOL } from "./messages.ts";
export type {
  DrainingData,
  EventMessage,
  HelloData,
  RegistryLoadedData,
  RequestMessage,
  ResponseMessage,
  ServerMessage,
  ServiceLogData,
  WireError,
  WireEventMap,
  WireEventType,
} from "./messages.ts";
export { ERROR_CODES, HarnessError, isErrorCode, isRetryable } from "../errors.ts";
export type { ErrorCode, HarnessErrorOptions } from "../errors.ts";
export {
  DEPLOY_STEPS,
  DEPLOYMENT_KINDS,
  DEPLOYMENT_STATUSES,
  HOST_OUTCOMES,
  STEP_STATUSES,
  UNREACHABLE_POLICIES,
} from "../model/deployment.ts";
export type {
  DeployFailure,
  DeploymentKind,
  DeploymentProgressData,
  DeploymentStatus,
  DeployStatus,
  DeployStep,
  HostOutcome,
  StepStatus,
  UnreachablePolicy,
} from "../model/deployment.ts";
export { KNOWN_PROTOCOLS, SERVICE_ACTIONS, SERVICE_STATES } from "../model/service.ts";
export type {
  Endpoint,
  EndpointInput,
  EndpointProtocol,
  Execution,
  ExecutionInput,
  HealthResult,
  Location,
  LocationInput,
  ServiceAction,
  ServiceEntry,
  ServiceInput,
  ServicePatch,
  ServiceState,
} from "../model/service.ts";
export { EVENT_TYPES } from "../model/event.ts";
export type {
  DeregisteredData,
  EndpointUpdatedData,
  EntryData,
  EventDataMap,
  EventType,
  HealthCheckData,
  RegistryEvent,
  StateChangedData,
} from "../model/event.ts";
export { parseTarget, targetLabel } from "../model/target.ts";
export type { Target, TargetSpec } from "../model/target.ts";
