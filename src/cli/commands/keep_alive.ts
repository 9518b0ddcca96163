/**
 * `service register --keep-alive`: holds a lease while it runs, for itself or for a child process.
 *
 * @module
 */
import type { Lease, LeaseStatus } from "../../client/mod.ts";
import { HarnessError, messageOf } from "../../errors.ts";
import type { EndpointInput, ServiceEntry, ServiceInput } from "../../model/service.ts";
import { sleep } from "../../util/async.ts";
import { jsonText, visible } from "../../util/terminal_text.ts";
import { formatDuration } from "../../util/units.ts";
import { interruptedExitCode, type Io } from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { CLI_CHILD_GRACE_MS } from "../limits.ts";
import { note, printDone } from "../output/notes.ts";
import { printJson } from "../output/table.ts";
import { Child, type ChildEnd } from "../session/child.ts";
import type { Session } from "../session/connect.ts";
import { untilReachable } from "../session/reachable.ts";

/** Options for {@linkcode keepAlive}. */
export interface KeepAliveRequest {
  /** What is registered. */
  readonly service: ServiceInput;
  /** Program and arguments of the child; empty for none. */
  readonly argv: readonly string[];
  /** Whether it may take the place of an entry that others made. */
  readonly replace: boolean;
  /** Whether the entry stays at the end: `stopped`, or `failed` after a failed child. */
  readonly keepEntry: boolean;
  /** How long to wait for its endpoints before it is registered; `null` = not at all. */
  readonly waitMs: number | null;
}

/** Registers a service until this process is interrupted or its child ends. Returns the exit code. */
export async function keepAlive(
  io: Io,
  session: Session,
  request: KeepAliveRequest,
): Promise<number> {
  if (!request.replace) await refuseOthers(session, request.service);
  return request.argv.length === 0
    ? await holdAlone(io, session, request)
    : await holdForChild(io, session, request);
}

/** An entry without a lease is not one that an earlier run left. */
async function refuseOthers(session: Session, { id, name }: ServiceInput): Promise<void> {
  const wanted = id ?? name;
  let found: ServiceEntry;
  try {
    found = await session.call("get_service", { name: wanted });
  } catch (error) {
    if (error instanceof HarnessError && ["not_found", "ambiguous"].includes(error.code)) return;
    throw error;
  }
  if (found.id !== wanted || found.ttl_ms !== undefined) return;
  throw new HarnessError(
    "already_exists",
    `Cannot register "${wanted}": it is there without a lease, so no earlier run of this command has left it`,
    { details: { reason: "already_registered", id: wanted, revision: found.revision } },
  );
}

async function holdAlone(io: Io, session: Session, request: KeepAliveRequest): Promise<number> {
  const { service, keepEntry, waitMs } = request;
  if (waitMs !== null) await waitFor(service.endpoints ?? [], waitMs, io.interrupted);
  const lease = await session.client.keepAlive(service, {
    signal: io.interrupted,
    onRelease: keepEntry ? "stop" : "deregister",
    onStatus: (status) => tellStatus(io, service, status),
  });
  if (session.flags.json) printJson(io, lease.entry);
  else {
    const then = keepEntry ? "sets it to stopped" : "removes it";
    printDone(io, `${lease.id} registered, lease ${leaseText(lease)}; Ctrl-C ${then}`);
  }
  const error = await lease.ended;
  if (error !== null) throw error;
  return interruptedExitCode(io) ?? EXIT.ok;
}

async function holdForChild(io: Io, session: Session, request: KeepAliveRequest): Promise<number> {
  const { service, argv, keepEntry } = request;
  const child = await Child.start({
    argv,
    env: {
      HARNESS_SERVICE: service.name,
      HARNESS_VERSION: service.version,
      HARNESS_URL: session.flags.url,
    },
    // The secrets themselves. A file that is named the child could read anyway.
    without: ["HARNESS_TOKEN", "HARNESS_SERVER_TOKEN", "HARNESS_READ_TOKEN"],
  });
  const ended = child.whilePassingSignals(io);
  let lease: Lease | null;
  try {
    lease = await registerChild(io, session, request, child);
  } catch (error) {
    await stop(child);
    await ended;
    throw error;
  }
  const end = await ended;
  // Its exit code counts more than a removal that fails: then the lease expires.
  await lease?.release().catch((error) => io.err(`${visible(messageOf(error))}\n`));
  if (lease !== null && keepEntry) await record(io, session, lease.id, end);
  return end.code;
}

/** Registers a child that runs; `null` when it ended before. */
async function registerChild(
  io: Io,
  { client, flags }: Session,
  { service, waitMs, keepEntry }: KeepAliveRequest,
  child: Child,
): Promise<Lease | null> {
  const over = new AbortController();
  child.ended.then(() => over.abort());
  const { execution } = service;
  const own = execution.type === "managed_process" ? { ...execution, pid: child.pid } : execution;
  try {
    if (waitMs !== null) await waitFor(service.endpoints ?? [], waitMs, over.signal);
    const lease = await client.keepAlive({ ...service, execution: own }, {
      // So that the entry goes in the moment in which the child ends.
      signal: over.signal,
      onRelease: keepEntry ? "leave" : "deregister",
      onStatus: (status) => tellStatus(io, service, status),
    });
    // Standard output is the child's.
    if (flags.json) io.err(`${jsonText(lease.entry)}\n`);
    else note(io, `${visible(lease.id)} registered, lease ${leaseText(lease)}, pid ${child.pid}\n`);
    return lease;
  } catch (error) {
    if (over.signal.aborted) return null;
    throw error;
  }
}

/** Records how the child of an entry that stays has ended. */
async function record(io: Io, { client }: Session, name: string, end: ChildEnd): Promise<void> {
  const isFailed = end.code !== 0 && !io.interrupted.aborted;
  const states = isFailed ? ["failed"] as const : ["stopping", "stopped"] as const;
  try {
    for (const state of states) {
      await client.updateService({ name, state, state_reason: end.text }, {
        timeoutMs: CLI_CHILD_GRACE_MS,
      });
    }
  } catch (error) {
    io.err(`${visible(messageOf(error))}\n`);
  }
}

async function waitFor(
  endpoints: readonly EndpointInput[],
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
  if (await untilReachable(endpoints, within) || signal.aborted) return;
  const addresses = endpoints.map(({ address }) => address).join(", ");
  throw new HarnessError(
    "timeout",
    `Cannot register it: ${addresses} took no connection within ${formatDuration(waitMs)}`,
    { details: { reason: "not_reachable", timeout_ms: waitMs } },
  );
}

async function stop(child: Child): Promise<void> {
  const over = new AbortController();
  child.ended.then(() => over.abort());
  await child.kill("SIGTERM");
  if (await sleep(CLI_CHILD_GRACE_MS, over.signal)) await child.kill("SIGKILL");
}

function leaseText({ entry }: Lease): string {
  return formatDuration(entry.ttl_ms ?? 0);
}

function tellStatus(io: Io, service: ServiceInput, status: LeaseStatus): void {
  const name = visible(service.id ?? service.name);
  if (status.type === "lost") {
    note(io, `${name} is not registered at present (${status.error.code}), retrying\n`);
  } else if (status.type === "regained") note(io, `${name} is registered again\n`);
  else if (status.error !== null) {
    io.err(`${name} is kept alive no more: ${visible(status.error.message)}\n`);
  }
}
