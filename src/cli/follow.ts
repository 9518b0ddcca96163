/**
 * Follows a deployment of the server until it ends, from anywhere and across lost connections.
 *
 * @module
 */
import type { EventStream } from "../client/mod.ts";
import type { Deployment } from "../protocol/actions.ts";
import type { Session } from "./connect.ts";
import type { Context } from "./context.ts";
import { followHint, reportDeployment } from "./deployment_report.ts";
import { EXIT } from "./exit_codes.ts";
import { openProgressView, type ProgressView } from "./progress_view.ts";
import { interruptedExitCode } from "./report.ts";

/** How often the deployment itself is looked at: for what no event tells, such as a server that was killed. */
const LOOK_INTERVAL_MS = 5000;

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
  const look = () => lookAt(session, deploymentId);
  let deployment = await look();
  const hosts = deployment.hosts.map((host) => host.host);
  const view = await openProgressView(io, hosts, { json, ...options });
  try {
    if (deployment.finished_at === null) {
      await showUntilEnd(context, events, view, deploymentId, look);
    }
  } finally {
    await view.end();
  }
  const interrupted = interruptedExitCode(io);
  if (interrupted !== null) {
    io.err(followHint(deploymentId));
    return interrupted;
  }
  deployment = await look();
  if (deployment.finished_at !== null) {
    return reportDeployment(io, deployment, { json, canResume: true });
  }
  io.err(`The connection to the server ended. ${followHint(deploymentId)}`);
  return EXIT.unreachable;
}

async function showUntilEnd(
  context: Context,
  events: DeploymentEvents,
  view: ProgressView,
  deploymentId: string,
  look: () => Promise<Deployment>,
): Promise<void> {
  const iterator = events[Symbol.asyncIterator]();
  let next = iterator.next();
  while (!context.io.interrupted.aborted) {
    const result = await orAfter(next, LOOK_INTERVAL_MS);
    if (result === null) {
      const seen = await look().catch(() => null);
      if (seen !== null && seen.finished_at !== null) break;
      continue;
    }
    if (result.done === true) break;
    next = iterator.next();
    // Not awaited when the loop ends first: its end is no error of ours.
    next.catch(() => {});
    const item = result.value;
    if (item.kind !== "event" || item.data.deployment_id !== deploymentId) continue;
    view.show(item.data);
    if (item.data.host === null && item.data.step === "finish") break;
  }
}

/** What `promise` gives, or `null` when it takes longer; it stays usable then. */
async function orAfter<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function lookAt(session: Session, deploymentId: string): Promise<Deployment> {
  return session.client.call("get_deployment", { deployment_id: deploymentId }, {
    timeoutMs: session.flags.timeout,
    waitForConnection: true,
  });
}
