/**
 * Follows a deployment of the server until it ends, from anywhere and across lost connections.
 *
 * @module
 */
import type { EventStream } from "../../client/mod.ts";
import { HarnessError } from "../../errors.ts";
import { CLI_FOLLOW_GIVE_UP_FACTOR, CLI_FOLLOW_LOOK_MS } from "../limits.ts";
import type { Deployment } from "../../protocol/actions.ts";
import { SERVER_NAME } from "../../version.ts";
import type { Session } from "./connect.ts";
import type { Context } from "../context.ts";
import { followHint, reportDeployment } from "../output/deployment_report.ts";
import type { ProgressView } from "../output/progress.ts";
import { openProgressView } from "../output/progress_view.ts";
import { interruptedExitCode } from "../output/report.ts";
import { resultWithin } from "../../util/async.ts";

/** The events of deployments. Open it before the deployment is started, and none is missed. */
export type DeploymentEvents = EventStream<"deployment_progress">;

/** Subscribes to the events of deployments; ends by itself when the command is interrupted. */
export async function openDeploymentEvents(
  context: Context,
  session: Session,
): Promise<DeploymentEvents> {
  const stream = session.client.events({
    events: ["deployment_progress"],
    signal: context.io.interrupted,
  });
  await stream.ready;
  return stream;
}

/**
 * Shows a deployment until it ends, then reports it. Ctrl-C stops following and nothing else.
 *
 * @returns The exit code.
 */
export async function followDeployment(
  context: Context,
  session: Session,
  events: DeploymentEvents,
  deploymentId: string,
  options: { quiet?: boolean } = {},
): Promise<number> {
  const { io } = context;
  const { json } = session.flags;
  const look = () => lookAt(session, deploymentId, io.interrupted);
  const deployment = await look();
  const hosts = deployment.hosts.map((host) => host.host);
  const view = await openProgressView(io, hosts, { json, ...options });
  try {
    if (deployment.finished_at === null) {
      const patienceMs = CLI_FOLLOW_GIVE_UP_FACTOR * session.flags.timeout;
      await showUntilEnd(events, view, { deploymentId, look, patienceMs, signal: io.interrupted });
    }
  } finally {
    await view.end();
  }
  const interrupted = interruptedExitCode(io);
  if (interrupted !== null) {
    io.err(followHint(deploymentId));
    return interrupted;
  }
  const ended = await look().catch(orNull);
  if (ended !== null && ended.finished_at !== null) {
    return reportDeployment(io, ended, { json, canResume: true });
  }
  throw new HarnessError(
    "unreachable",
    `Cannot follow ${deploymentId} any longer: the server does not answer; when it runs again, ` +
      `\`${SERVER_NAME} deployments follow ${deploymentId}\` shows how it goes on`,
  );
}

/** What {@linkcode showUntilEnd} follows. */
interface Followed {
  deploymentId: string;
  /** Gets the deployment itself; waits a while for a connection. */
  look: () => Promise<Deployment>;
  /** How long to go on without any sign of the server. */
  patienceMs: number;
  signal: AbortSignal;
}

async function showUntilEnd(
  events: DeploymentEvents,
  view: ProgressView,
  { deploymentId, look, patienceMs, signal }: Followed,
): Promise<void> {
  let next = events.next();
  let lastSeenAt = Date.now();
  while (!signal.aborted && Date.now() - lastSeenAt < patienceMs) {
    const result = await resultWithin(next, CLI_FOLLOW_LOOK_MS);
    if (result === null) {
      const seen = await look().catch(orNull);
      if (seen !== null) lastSeenAt = Date.now();
      if (seen !== null && seen.finished_at !== null) break;
      continue;
    }
    if (result.done === true) break;
    lastSeenAt = Date.now();
    next = events.next();
    // Not awaited when the loop ends first: its end is no error of ours.
    next.catch(() => {});
    const item = result.value;
    if (item.kind !== "event" || item.data.deployment_id !== deploymentId) continue;
    view.show(item.data);
    if (item.data.host === null && item.data.step === "finish") break;
  }
}

/** Nothing where the server could not be asked; what it answered otherwise is an error. */
function orNull(error: unknown): null {
  const silent = ["unavailable", "unreachable", "timeout", "cancelled"];
  if (error instanceof HarnessError && silent.includes(error.code)) return null;
  throw error;
}

function lookAt(
  session: Session,
  deploymentId: string,
  signal: AbortSignal,
): Promise<Deployment> {
  return session.client.call("get_deployment", { deployment_id: deploymentId }, {
    timeoutMs: session.flags.timeout,
    waitForConnection: true,
    signal,
  });
}
