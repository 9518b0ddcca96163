/**
 * `rollback`: returns to the last good version.
 *
 * @module
 */
import type { Command } from "../command_line/command.ts";
import { HarnessError } from "../../errors.ts";
import { CLIENT_FLAGS, openSession } from "../session/connect.ts";
import { addHandler, type Context } from "../context.ts";
import { detached } from "./deploy.ts";
import {
  chosenHosts,
  DEPLOY_SSH_FLAGS,
  FOLLOW_FLAGS,
  HOST_FLAGS,
  targetsFor,
} from "../flags/deploy_flags.ts";
import { addFlags, readFlags } from "../flags/flags.ts";
import { beginDeployment, openDeploymentEvents, showDeployment } from "../session/follow.ts";

interface RollbackFlags extends Record<string, unknown> {
  version?: string;
}

/** Declares the command. */
export function declareRollback(command: Command, context: Context): void {
  command.option("--version <version>", "to this version instead of the last good one");
  addFlags(command, HOST_FLAGS, "Hosts (all where it runs, when none is named):");
  addFlags(command, FOLLOW_FLAGS);
  addFlags(command, DEPLOY_SSH_FLAGS, "SSH:");
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler<RollbackFlags>(
    context,
    command,
    (given, service = "") => rollback(context, given, service),
  );
}

async function rollback(context: Context, given: RollbackFlags, name: string): Promise<number> {
  const { detach, direct } = readFlags(FOLLOW_FLAGS, given, context.io);
  const hosts = await chosenHosts(readFlags(HOST_FLAGS, given, context.io));
  const version = given.version === undefined ? {} : { version: given.version };
  if (direct) {
    if (hosts.length === 0) {
      throw new HarnessError(
        "invalid_params",
        "Cannot roll back directly: without a server the hosts must be named with --host",
      );
    }
    const { rollBackDirectly } = await import("./deploy_direct.ts");
    return await rollBackDirectly(context, given, { name, hosts, ...version });
  }
  const targets = targetsFor(hosts, given);
  await using session = await openSession(context, given, { follows: true });
  const events = await openDeploymentEvents(context, session);
  const params = { name, ...version, ...(targets.length === 0 ? {} : { targets }) };
  const id = await beginDeployment(
    context,
    (options) => session.call("rollback_service", params, options),
  );
  if (detach) return detached(context, session, id);
  return await showDeployment(context, session, events, id, { offerCancel: true });
}
