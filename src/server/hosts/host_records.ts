/**
 * Compares placements with the records on their hosts: another server, or `--direct`, may have deployed since.
 * Before a deployed service is adopted or acted on, the active release in its host's record takes precedence.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { activeRelease, type HostState, parseState } from "../../deploy/host/state.ts";
import { HarnessError } from "../../errors.ts";
import { STATUS_TIMEOUT_MS } from "../../model/limits.ts";
import { MAX_REASON_LENGTH } from "../limits.ts";
import { sleep } from "../../util/async.ts";
import type { ServiceSpec } from "../../lifecycle/service_spec.ts";
import type { Registry } from "../../registry/registry.ts";
import { endpointsOf, executionOf } from "../deployments/registry_sync.ts";
import type { HostExecutor } from "./host_connections.ts";
import type { HostDirectory } from "./host_directory.ts";
import type { PlacedHosts } from "./placed_hosts.ts";
import { hostOf, type Placement, type Placements } from "../services/placements.ts";

/** Largest record that is read: a thousand releases; a larger file is not one of ours. */
const RECORD_MAX_BYTES = 4 * 1024 * 1024;

/** Poll interval while another server switches a release: that takes seconds, and nothing waits for the result. */
const SWITCH_POLL_MS = 2_000;

/** Timeout of that wait: longer than a start with its health check; a stale lock expires far sooner. */
const SWITCH_WAIT_MS = 10 * 60_000;

/** Prints the records of the given directories: only files of our own user, so that no link makes us read another. */
const READ_RECORDS = `
for h_base; do
  [ -f "$h_base/state.json" ] && [ ! -L "$h_base/state.json" ] && [ -O "$h_base/state.json" ] || continue
  printf '@record %s\\n' "$h_base"
  sed 's/^/|/' "$h_base/state.json"
  echo
done
`;

/** Options for {@linkcode HostRecords}. */
export interface HostRecordsOptions {
  /** Where entries are corrected. */
  registry: Registry;
  /** Where placements are corrected. */
  placements: Placements;
  /** Reaches the machines. */
  machines: PlacedHosts;
  /** Finds hosts. */
  hosts: HostDirectory;
}

/** A batched read from one machine: takes more directories until the read before it has ended. */
interface Batch {
  bases: Set<string>;
  found: Promise<Map<string, string>>;
}

const log = getLogger(["harness", "server", "records"]);

/** Compares placements with the records of their hosts. */
export class HostRecords {
  readonly #options: HostRecordsOptions;
  readonly #open = new Map<string, Batch>();
  readonly #waiting = new Set<string>();
  readonly #asking = new Map<string, Promise<unknown>>();

  /** Starts without reads. */
  constructor(options: HostRecordsOptions) {
    this.#options = options;
  }

  /**
   * Corrects placement and entry where the host's record has another active release. Returns the present placement.
   */
  async follow(placement: Placement): Promise<Placement> {
    const state = await this.#read(placement);
    const active = state === null ? null : activeRelease(state);
    if (active === null || active.spec === null || isSame(active.spec, placement.spec)) {
      return placement;
    }
    const { registry, placements, hosts } = this.#options;
    const { id, spec: old } = placement;
    const manager = active.run?.manager ?? placement.manager;
    const current: Placement = {
      ...placement,
      spec: active.spec,
      ...(manager === undefined ? {} : { manager }),
    };
    const host = hostOf(hosts, placement);
    const reason =
      `${active.deployment_id} deployed ${active.version} on the host, in place of ${old.version}`;
    log.warn("{id}: {reason}", { id, reason });
    await placements.put(current);
    const none = { running: false, pid: null, containerId: null, exitCode: null, signal: null };
    await registry.update(id, {
      version: active.version,
      execution: executionOf({ spec: active.spec, status: { ...none, detail: "" } }),
      endpoints: endpointsOf(active.spec.ports, host.address ?? host.label),
      depends_on: active.manifest.dependsOn,
      state_reason: reason.slice(0, MAX_REASON_LENGTH),
    });
    return current;
  }

  /**
   * Refuses to start a release that is not the active one in the host's record, or while a deployment switches it.
   *
   * @throws {HarnessError} `conflict`.
   */
  async assertActive(id: string): Promise<void> {
    const placement = this.#options.placements.deployedAs(id);
    const state = placement === null ? null : await this.#read(placement);
    if (placement === null || state === null) return;
    const { spec } = placement;
    if (state.pending !== null) {
      const { deployment_id } = state.pending;
      throw new HarnessError(
        "conflict",
        `Cannot start ${id}: ${deployment_id} is switching it on its host; wait for it, or deploy again`,
        { details: { reason: "switching", deployment_id } },
      );
    }
    const active = activeRelease(state);
    if (active === null || active.spec === null || isSame(active.spec, spec)) return;
    throw new HarnessError(
      "conflict",
      `Cannot start ${id} ${spec.version}: its host has ${active.version} by ${active.deployment_id}`,
      { details: { reason: "other_release", version: active.version } },
    );
  }

  /** Runs `work` once no deployment switches the service on its host any more. */
  whenSettled(id: string, signal: AbortSignal, work: () => Promise<void>): void {
    this.#settle(id, signal)
      .then((settled) => settled ? work() : undefined)
      .catch((error) => log.debug("Cannot read the record of {id}: {error}", { id, error }));
  }

  /**
   * Waits, with a timeout, while a deployment switches the service on its host; `false` when a wait is under way
   * already or `signal` fired.
   */
  async #settle(id: string, signal: AbortSignal): Promise<boolean> {
    if (this.#waiting.has(id)) return false;
    this.#waiting.add(id);
    try {
      const deadline = performance.now() + SWITCH_WAIT_MS;
      while (performance.now() < deadline) {
        const placement = this.#options.placements.deployedAs(id);
        if (placement === null) return false;
        const state = await this.#read(placement);
        if (state === null || state.pending === null) return true;
        if (!await sleep(SWITCH_POLL_MS, signal)) return false;
      }
      return true;
    } finally {
      this.#waiting.delete(id);
    }
  }

  async #read(placement: Placement): Promise<HostState | null> {
    const base = baseOf(placement);
    if (base === null) return null;
    const text = (await this.#ask(this.#options.machines.keyOf(placement), base)).get(base);
    if (text === undefined) return null;
    try {
      const { service } = JSON.parse(text) as { service: string };
      return parseState(text, service, `${base}/state.json`);
    } catch (error) {
      log.warn("Cannot read the record of {id}: {error}", { id: placement.id, error });
      return null;
    }
  }

  /** Batches all concurrent reads into one command: hundreds of services may be adopted at once. */
  async #ask(key: string, base: string): Promise<Map<string, string>> {
    let batch = this.#open.get(key);
    if (batch === undefined) {
      const bases = new Set<string>();
      const before = this.#asking.get(key) ?? Promise.resolve();
      const found = before.catch(() => undefined).then(async () => {
        this.#open.delete(key);
        return await readRecords(await this.#options.machines.executorFor(key), [...bases]);
      });
      batch = { bases, found };
      this.#open.set(key, batch);
      this.#asking.set(key, found);
    }
    batch.bases.add(base);
    return await batch.found;
  }
}

/** Whether two specs are the same release with the same environment. */
function isSame(a: ServiceSpec, b: ServiceSpec): boolean {
  return a.workDir === b.workDir && a.envFile === b.envFile;
}

/** The bookkeeping directory of a deployed placement, or `null`. */
function baseOf({ origin, spec }: Placement): string | null {
  if (origin !== "deployed") return null;
  return /^(.*\/\.harness\/[^/]+)\/run\/[^/]+$/.exec(spec.runDir)?.[1] ?? null;
}

async function readRecords(executor: HostExecutor, bases: string[]): Promise<Map<string, string>> {
  const { stdout } = await executor.run({ script: READ_RECORDS, args: bases }, {
    timeoutMs: STATUS_TIMEOUT_MS,
    maxOutputBytes: RECORD_MAX_BYTES,
  });
  const found = new Map<string, string>();
  for (const part of stdout.split(/^@record /m).slice(1)) {
    const [base = "", ...lines] = part.split("\n");
    found.set(
      base,
      lines.filter((line) => line.startsWith("|")).map((line) => line.slice(1)).join("\n"),
    );
  }
  return found;
}
