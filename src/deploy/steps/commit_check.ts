/**
 * Whether a commit whose answer never came has happened.
 *
 * @module
 */
import { parseFacts } from "../host/lock/facts.ts";
import type { HostContext } from "../host/context.ts";
import { parseState } from "../host/state.ts";
import { factsCommand } from "../host/lock/commands.ts";
import { forgetRecoveryCommand } from "../host/recovery.ts";

/** Asks the host: its record is the truth. */
export async function wasCommitted(context: HostContext): Promise<boolean> {
  const { plan, chosen, place, target, service, layout } = context;
  const result = await context.run(factsCommand(place, context.questions));
  const facts = parseFacts(result.stdout, target.label);
  const state = parseState(facts.stateText, service, layout.state);
  const release = state.releases.find((r) => r.id === state.active);
  const done = state.pending === null && release?.id === chosen.id &&
    release.deployment_id === plan.deploymentId;
  if (done) {
    await context.run(forgetRecoveryCommand(place));
    context.state = state;
    context.phase = "committed";
  }
  return done;
}
