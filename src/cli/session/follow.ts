/**
 * Shows a deployment of the server until it ends.
 *
 * @module
 */
import type { EventStream } from "../../client/mod.ts";
import type { Context } from "../context.ts";
import { CLI_FOLLOW_GIVE_UP_FACTOR } from "../limits.ts";
import { note } from "../output/notes.ts";
import { followHint, reportDeployment } from "../output/deployment_report.ts";
import { withHint } from "../output/hints.ts";
import { openProgressView } from "../output/progress_view.ts";
import { interruptedExitCode } from "../output/report.ts";
import { SERVER_NAME } from "../../version.ts";
import type { Session } from "./connect.ts";

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
 * Shows a deployment until it ends, then reports it. Ctrl-C only stops following.
 *
 * @returns The exit code.
 */
export async function showDeployment(
  context: Context,
  session: Session,
  events: DeploymentEvents,
  deploymentId: string,
  options: { quiet?: boolean } = {},
): Promise<number> {
  const { followDeployment } = await import("../../client/mod.ts");
  const { io } = context;
  const { json, timeout } = session.flags;
  const { hosts } = await session.client.call("get_deployment", { deployment_id: deploymentId }, {
    timeoutMs: timeout,
    waitForConnection: true,
    signal: io.interrupted,
  });
  const view = await openProgressView(io, hosts.map(({ host }) => host), { json, ...options });
  try {
    const steps = followDeployment(session.client, deploymentId, {
      events,
      giveUpAfterMs: CLI_FOLLOW_GIVE_UP_FACTOR * timeout,
      signal: io.interrupted,
    });
    let next = await steps.next();
    for (; next.done !== true; next = await steps.next()) view.show(next.value);
    await view.end();
    return reportDeployment(io, next.value, { json, canResume: true });
  } catch (error) {
    await view.end();
    const interrupted = interruptedExitCode(io);
    if (interrupted === null) {
      const hint =
        `\`${SERVER_NAME} deployments follow ${deploymentId}\` continues, once it is back`;
      throw withHint(error, { code: "unreachable" }, hint);
    }
    note(io, followHint(deploymentId));
    return interrupted;
  }
}
