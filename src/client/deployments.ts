/**
 * Follows a deployment to its end.
 *
 * The deployment runs in the server: it continues when the connection is lost or its follower stops.
 *
 * @module
 */
import type { DeploymentProgressData } from "../model/deployment.ts";
import { HarnessError } from "../errors.ts";
import { CLIENT_DEPLOYMENT_POLL_MS } from "./limits.ts";
import type { ActionParams, Deployment } from "../protocol/actions.ts";
import type { EventStream } from "./events/stream.ts";
import type { StreamItem } from "./events/items.ts";
import type { RegistryClient } from "./client.ts";
import { resultWithin } from "../util/async.ts";

/** Options for {@linkcode followDeployment}. */
export interface FollowOptions {
  /** Stops following; the deployment continues. */
  signal?: AbortSignal | undefined;
  /** How often the deployment is polled while no event arrives. @default {5000} */
  pollIntervalMs?: number | undefined;
  /** Fail with `unreachable` after this long without an event or a response. @default {Infinity} */
  giveUpAfterMs?: number | undefined;
  /**
   * Events that were subscribed to before the deployment was started, so that no step is missed. The caller closes
   * them. @default {subscribed to when following starts}
   */
  events?: EventStream<"deployment_progress"> | undefined;
}

/**
 * Deploys, yields every step of every host, and returns how it ended.
 *
 * @example Usage
 * ```ts ignore
 * for await (const step of deployAndFollow(client, { package: "web-1.0.0.tar.gz", target: "local" })) {
 *   console.log(step.host, step.step, step.status);
 * }
 * ```
 */
export async function* deployAndFollow(
  client: RegistryClient,
  params: ActionParams<"deploy_package">,
  options: FollowOptions = {},
): AsyncGenerator<DeploymentProgressData, Deployment, void> {
  await using stream = await openStream(client, options);
  const id = await client.deployPackage(params, { signal: options.signal });
  return yield* follow(client, stream, id, options);
}

/** Yields the steps of a deployment from now on, and returns how it ended. */
export async function* followDeployment(
  client: RegistryClient,
  deploymentId: string,
  options: FollowOptions = {},
): AsyncGenerator<DeploymentProgressData, Deployment, void> {
  if (options.events !== undefined) {
    return yield* follow(client, options.events, deploymentId, options);
  }
  await using stream = await openStream(client, options);
  return yield* follow(client, stream, deploymentId, options);
}

type ProgressStream = EventStream<"deployment_progress">;

async function openStream(
  client: RegistryClient,
  options: FollowOptions,
): Promise<ProgressStream> {
  const stream = client.events({ events: ["deployment_progress"], signal: options.signal });
  await stream.ready;
  return stream;
}

async function* follow(
  client: RegistryClient,
  stream: ProgressStream,
  id: string,
  options: FollowOptions,
): AsyncGenerator<DeploymentProgressData, Deployment, void> {
  const pollIntervalMs = options.pollIntervalMs ?? CLIENT_DEPLOYMENT_POLL_MS;
  let next = read(stream);
  let deployment = await client.getDeployment(id, { signal: options.signal });
  let heardAt = Date.now();
  while (deployment.finished_at === null) {
    const result = await resultWithin(next, pollIntervalMs);
    if (result?.done) throw stopped(id, options.signal);
    if (result !== null) {
      next = read(stream);
      heardAt = Date.now();
    }
    const progress = result === null ? null : progressOf(result.value, id);
    if (progress !== null) yield progress;
    const isLast = progress?.host === null && progress.step === "finish";
    // No event came, or events were missed: the deployment may have ended.
    if (isLast || result === null || result.value.kind === "snapshot") {
      const polled = await poll(client, id, options);
      if (polled !== null) [deployment, heardAt] = [polled, Date.now()];
      else if (Date.now() - heardAt >= (options.giveUpAfterMs ?? Infinity)) throw silent(id);
    }
  }
  return deployment;
}

function read(
  stream: ProgressStream,
): Promise<IteratorResult<StreamItem<"deployment_progress">, undefined>> {
  const next = stream.next();
  next.catch(() => {}); // awaited later, or the call in between fails for the same reason
  return next;
}

function progressOf(
  item: StreamItem<"deployment_progress">,
  id: string,
): DeploymentProgressData | null {
  return item.kind === "event" && item.data.deployment_id === id ? item.data : null;
}

/** The deployment now, or `null` while the server cannot be asked. */
async function poll(
  client: RegistryClient,
  id: string,
  options: FollowOptions,
): Promise<Deployment | null> {
  try {
    return await client.getDeployment(id, { signal: options.signal });
  } catch (error) {
    if (error instanceof HarnessError && error.retryable && client.state !== "closed") return null;
    throw error;
  }
}

function silent(id: string): HarnessError {
  return new HarnessError(
    "unreachable",
    `Cannot follow ${id} any longer: the server does not respond; the deployment may still be running`,
  );
}

function stopped(id: string, signal: AbortSignal | undefined): HarnessError {
  return new HarnessError("cancelled", `Stopped following ${id}; it continues in the server`, {
    cause: signal?.reason,
  });
}
