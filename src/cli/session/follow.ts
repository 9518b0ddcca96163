/**
 * Shows a deployment of the server until it ends.
 *
 * @module
 */
import type { EventStream } from "../../client/mod.ts";
import { type Context, Interrupted, interruptedExitCode } from "../context.ts";
import { CANCEL_OFFER_MS, CLI_FOLLOW_GIVE_UP_FACTOR } from "../limits.ts";
import { followHint, reportDeployment } from "../output/deployment/deployment_report.ts";
import { withHint } from "../output/hints.ts";
import { openProgressView } from "../output/deployment/progress_view.ts";
import { CLEAR_LINE } from "../output/styles.ts";
import type { Deployment } from "../../protocol/actions.ts";
import { sleep } from "../../util/async.ts";
import { formatDuration } from "../../util/units.ts";
import { visible } from "../../util/terminal_text.ts";
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
 * Sends the request that begins a deployment, and returns its id. An interrupt meanwhile waits for the answer: without
 * the id nobody could tell the user what to follow.
 */
export async function beginDeployment(
  { io }: Context,
  send: (options: { signal: AbortSignal }) => Promise<{ deployment_id: string }>,
): Promise<string> {
  io.interrupted.throwIfAborted();
  return (await send({ signal: io.nextInterrupt() })).deployment_id;
}

/** Options for {@linkcode showDeployment}. */
export interface ShowOptions {
  /** On a terminal, offer that a second Ctrl-C cancels it. @default {false} */
  offerCancel?: boolean;
}

/**
 * Shows a deployment until it ends, then reports it. Ctrl-C only stops following; where it is offered, a second one
 * cancels the deployment.
 *
 * @returns The exit code.
 */
export async function showDeployment(
  context: Context,
  session: Session,
  events: DeploymentEvents,
  deploymentId: string,
  options: ShowOptions = {},
): Promise<number> {
  const { io } = context;
  const following = { session, deploymentId };
  try {
    const ended = await follow(context, { ...following, events, signal: io.interrupted });
    return reportDeployment(io, ended, { json: session.flags.json, canResume: true });
  } catch (error) {
    const interrupted = interruptedExitCode(io);
    if (interrupted === null) {
      const hint =
        `\`${SERVER_NAME} deployments follow ${deploymentId}\` continues, once it is back`;
      throw withHint(error, { code: "unreachable" }, hint);
    }
    io.err(followHint(deploymentId));
    const isAsked = options.offerCancel === true && await isCancelAsked(context);
    if (isAsked) await cancelAndFollow(context, following);
    return interrupted;
  }
}

/** What {@linkcode follow} follows. */
interface Following {
  readonly session: Session;
  readonly deploymentId: string;
}

async function follow(
  { io }: Context,
  what: Following & { events?: DeploymentEvents; signal: AbortSignal },
): Promise<Deployment> {
  const { session, deploymentId, events, signal } = what;
  const { json, timeout } = session.flags;
  const { followDeployment } = await import("../../client/mod.ts");
  const { hosts } = await session.client.call("get_deployment", { deployment_id: deploymentId }, {
    timeoutMs: timeout,
    waitForConnection: true,
    signal,
  });
  const view = await openProgressView(io, hosts.map(({ host }) => host), { json });
  let ended = false;
  try {
    const steps = followDeployment(session.client, deploymentId, {
      events,
      giveUpAfterMs: CLI_FOLLOW_GIVE_UP_FACTOR * timeout,
      signal,
    });
    let next = await steps.next();
    for (; next.done !== true; next = await steps.next()) view.show(next.value);
    ended = true;
    return next.value;
  } finally {
    view.end(ended && io.outIsTerminal ? "erased" : "kept");
  }
}

/** Whether a second Ctrl-C comes soon after the first. */
async function isCancelAsked({ io }: Context): Promise<boolean> {
  const byKey = io.interrupted.reason instanceof Interrupted &&
    io.interrupted.reason.signalName === "SIGINT";
  if (io.screen === null || !byKey) return false;
  const again = io.nextInterrupt();
  io.err(`press Ctrl-C again within ${formatDuration(CANCEL_OFFER_MS)} to cancel it\n`);
  await sleep(CANCEL_OFFER_MS, again);
  // The `^C` that the terminal has echoed.
  if (again.aborted) io.err(CLEAR_LINE);
  return again.reason instanceof Interrupted && again.reason.signalName === "SIGINT";
}

/** Cancels the deployment and shows how it ends; another Ctrl-C does not wait for that. */
async function cancelAndFollow(context: Context, what: Following): Promise<void> {
  const { io } = context;
  const { session, deploymentId } = what;
  const signal = io.nextInterrupt();
  const id = visible(deploymentId);
  try {
    await session.call("cancel_deployment", { deployment_id: deploymentId }, { signal });
    io.err(`${id} is being cancelled: hosts in flight go back to the version before\n`);
    const ended = await follow(context, { ...what, signal });
    reportDeployment(io, ended, { json: session.flags.json });
  } catch (error) {
    if (!signal.aborted) throw error;
    io.err(`${id} goes on to be cancelled in the server\n`);
  }
}
