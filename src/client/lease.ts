/**
 * A lease that is held: registers a service if asked to, and sends its heartbeats until it is released.
 *
 * @module
 */
import { HarnessError, toHarnessError } from "../errors.ts";
import type { ServiceEntry, ServiceInput, ServiceState } from "../model/service.ts";
import { sleep } from "../util/async.ts";
import type { RegistryActions } from "./actions.ts";
import {
  CLIENT_CALL_TIMEOUT_MS,
  CLIENT_HEARTBEAT_MAX_MS,
  CLIENT_HEARTBEAT_TIMEOUT_MS,
  CLIENT_LEASE_RETRY_MAX_MS,
  CLIENT_LEASE_RETRY_MIN_MS,
  CLIENT_LEASE_TTL_MS,
  CLIENT_RELEASE_TIMEOUT_MS,
} from "./limits.ts";
import type { LeaseTurns } from "./lease_turns.ts";
import type { ClientClosure } from "./status.ts";

/**
 * What is done with the entry when a lease is released: it is removed, set to `stopped`, or left to expire, which makes
 * it `failed`.
 */
export type ReleaseAction = "deregister" | "stop" | "leave";

/** A change of a lease. */
export type LeaseStatus =
  | {
    /**
     * The server has lost the entry, or got no heartbeat for as long as the lease is: the service counts as failed.
     * The lease goes on trying.
     */
    type: "lost";
    /** Why the last heartbeat failed. */
    error: HarnessError;
  }
  | {
    /** The service is `running` again. */
    type: "regained";
    /** Whether it had to be registered again. */
    registered: boolean;
  }
  | {
    /** No heartbeat follows. */
    type: "ended";
    /** Why, or `null` after a release. */
    error: HarnessError | null;
  };

/** Options for {@linkcode RegistryClient.keepAlive}. */
export interface KeepAliveOptions {
  /** Releases the lease, as {@linkcode Lease.release} does. While it is being taken: `cancelled`. */
  signal?: AbortSignal | undefined;
  /** What a release does with the entry. @default {"deregister" for a service, "stop" for a name} */
  onRelease?: ReleaseAction | undefined;
  /**
   * Registers the service again when the server has lost it or somebody removed it; else the lease ends.
   *
   * @default {true}
   */
  reregister?: boolean | undefined;
  /** Called when the lease is lost, regained or has ended. What it throws becomes an uncaught error. */
  onStatus?: ((status: LeaseStatus) => void) | undefined;
}

/** The client of a lease. */
export interface LeaseClient extends RegistryActions {
  /** Resolves when it ends. */
  readonly closed: Promise<ClientClosure>;
}

/**
 * A lease of one entry, from {@linkcode RegistryClient.keepAlive}.
 *
 * It sends a heartbeat at each third of the lease, at least once a minute, and goes on across lost connections and
 * restarts of the server. `await using` releases it.
 */
export class Lease implements AsyncDisposable {
  /** Id of the entry. */
  readonly id: string;
  /** Resolves when no more heartbeats are sent: with the error, or with `null` after a release. Never rejects. */
  readonly ended: Promise<HarnessError | null>;
  readonly #client: LeaseClient;
  readonly #turns: LeaseTurns;
  readonly #service: ServiceInput | null;
  readonly #options: KeepAliveOptions;
  readonly #stopping: AbortController = new AbortController();
  readonly #loop: Promise<void>;
  #entry: ServiceEntry;
  #renewedAt: number;
  #isHeld = true;
  #isEnded = false;
  #wake: () => void = () => {};
  #resolveEnded: (error: HarnessError | null) => void = () => {};
  #releasing: Promise<void> | null = null;

  private constructor(
    client: LeaseClient,
    turns: LeaseTurns,
    first: { entry: ServiceEntry; service: ServiceInput | null; renewedAt: number },
    options: KeepAliveOptions,
  ) {
    this.#client = client;
    this.#turns = turns;
    this.#service = first.service;
    this.#entry = first.entry;
    this.#renewedAt = first.renewedAt;
    this.#options = options;
    this.id = first.entry.id;
    this.ended = new Promise((resolve) => this.#resolveEnded = resolve);
    const endWake = turns.onWake(() => this.#wake());
    const { signal } = options;
    // A failed removal has no other reader.
    const onAbort = () => void this.release().catch(() => {});
    signal?.addEventListener("abort", onAbort);
    this.ended.then(() => {
      endWake();
      signal?.removeEventListener("abort", onAbort);
    });
    client.closed.then(({ error }) => this.#end(error));
    this.#loop = this.#run();
    if (signal?.aborted) onAbort();
  }

  /**
   * Takes a lease: registers a service, or finds an entry by its name, and sends the first heartbeat.
   *
   * @throws {HarnessError} What the server answers; `invalid_params` for an entry without `ttl_ms`.
   */
  static async take(
    client: LeaseClient,
    turns: LeaseTurns,
    wanted: ServiceInput | string,
    options: KeepAliveOptions,
  ): Promise<Lease> {
    const call = {
      signal: options.signal,
      timeoutMs: CLIENT_CALL_TIMEOUT_MS,
      waitForConnection: true,
    };
    const renewedAt = performance.now();
    const service = typeof wanted === "string" ? null : { ttl_ms: CLIENT_LEASE_TTL_MS, ...wanted };
    let isIn = false;
    try {
      const entry = await turns.run(async () => {
        const entry = typeof wanted === "string"
          ? await begin(client, await client.getService(wanted, call), call)
          : await enter(client, service ?? wanted, call);
        isIn = true;
        await client.heartbeat(entry.id, call);
        return entry;
      });
      return new Lease(client, turns, { entry, service, renewedAt }, options);
    } catch (error) {
      // Without its lease an entry would stay for ever; a cancelled registration may have been applied.
      isIn ||= error instanceof HarnessError && error.code === "cancelled" &&
        error.details?.["outcome"] === "unknown";
      const how = options.onRelease ?? "deregister";
      if (service !== null && isIn) {
        await leave(client, service.id ?? service.name, how).catch(() => {});
      }
      throw error;
    }
  }

  /** The entry when it was last registered, or found by its name. */
  get entry(): ServiceEntry {
    return this.#entry;
  }

  /** Whether the last heartbeats arrived in time, as far as this side knows. */
  get isHeld(): boolean {
    return this.#isHeld && !this.#isEnded;
  }

  /**
   * Ends the heartbeats, then removes the entry, sets it to `stopped` or leaves it to expire. Idempotent.
   *
   * A server that cannot be reached is no error: the entry expires there.
   *
   * @throws {HarnessError} What the server refuses for another reason.
   */
  release(how?: ReleaseAction): Promise<void> {
    this.#releasing ??= this.#release(
      how ?? this.#options.onRelease ?? (this.#service === null ? "stop" : "deregister"),
    );
    return this.#releasing;
  }

  /** Same as {@linkcode Lease.release}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  async #release(how: ReleaseAction): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    try {
      if (!this.#isEnded) await this.#turns.run(() => leave(this.#client, this.id, how));
    } catch (error) {
      const { retryable, code } = toHarnessError(error);
      if (!retryable && code !== "not_found") throw error;
    } finally {
      this.#end(null);
    }
  }

  async #run(): Promise<void> {
    let delayMs = this.#intervalMs;
    while (!this.#isEnded && await this.#pause(delayMs)) {
      const sentAt = performance.now();
      try {
        const registered = await this.#turns.run(() => this.#renew());
        this.#renewedAt = sentAt;
        if (!this.#isHeld) this.#tell({ type: "regained", registered });
        this.#isHeld = true;
        delayMs = this.#intervalMs;
      } catch (thrown) {
        if (this.#stopping.signal.aborted) return;
        const error = toHarnessError(thrown);
        if (!error.retryable) return this.#end(error);
        if (performance.now() - this.#renewedAt >= this.#ttlMs) this.#lose(error);
        delayMs = retryDelayMs(this.#ttlMs);
      }
    }
  }

  /** Sends a heartbeat; registers what is gone. Returns whether it did. */
  async #renew(): Promise<boolean> {
    const { signal } = this.#stopping;
    const call = { signal, timeoutMs: CLIENT_HEARTBEAT_TIMEOUT_MS };
    try {
      await this.#client.heartbeat(this.id, call);
      return false;
    } catch (error) {
      const isGone = error instanceof HarnessError && error.code === "not_found";
      if (!isGone || this.#service === null || this.#options.reregister === false) throw error;
      this.#lose(error);
      this.#entry = await enter(this.#client, this.#service, call);
      await this.#client.heartbeat(this.id, call);
      return true;
    }
  }

  /** Waits until the next heartbeat is due, or the connection is back. `false` when the lease is released. */
  async #pause(ms: number): Promise<boolean> {
    const waking = new AbortController();
    this.#wake = () => waking.abort();
    await sleep(ms, AbortSignal.any([waking.signal, this.#stopping.signal]));
    return !this.#stopping.signal.aborted;
  }

  #lose(error: HarnessError): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#tell({ type: "lost", error });
  }

  #end(error: HarnessError | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#stopping.abort();
    this.#tell({ type: "ended", error });
    this.#resolveEnded(error);
  }

  #tell(status: LeaseStatus): void {
    try {
      this.#options.onStatus?.(status);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  get #ttlMs(): number {
    return this.#entry.ttl_ms ?? CLIENT_LEASE_TTL_MS;
  }

  /** A third of the lease, a little less at random: the leases of one program do not stay in step. */
  get #intervalMs(): number {
    return Math.min(this.#ttlMs / 3, CLIENT_HEARTBEAT_MAX_MS) * (0.9 + Math.random() / 10);
  }
}

type Call = { signal?: AbortSignal | undefined; timeoutMs: number; waitForConnection?: boolean };

/** Registers a service, in the place of what an earlier run of it left, as one that starts. */
async function enter(
  client: LeaseClient,
  service: ServiceInput,
  call: Call,
): Promise<ServiceEntry> {
  return await begin(
    client,
    await client.registerService(service, { ...call, replace: true }),
    call,
  );
}

/** The states that an entry goes through to `starting`, where a heartbeat alone would not get it out of its state. */
const TO_STARTING: Partial<Record<ServiceState, readonly ServiceState[]>> = {
  stopping: ["stopped", "starting"],
  stopped: ["starting"],
  failed: ["starting"],
};

async function begin(client: LeaseClient, entry: ServiceEntry, call: Call): Promise<ServiceEntry> {
  return await follow(client, entry, TO_STARTING[entry.state] ?? [], call);
}

/** The states to `stopped`. One that has failed stays as it is. */
const TO_STOPPED: Partial<Record<ServiceState, readonly ServiceState[]>> = {
  registered: ["starting", "stopping", "stopped"],
  starting: ["stopping", "stopped"],
  running: ["stopping", "stopped"],
  stopping: ["stopped"],
};

async function leave(client: LeaseClient, id: string, how: ReleaseAction): Promise<void> {
  const call: Call = { timeoutMs: CLIENT_RELEASE_TIMEOUT_MS, waitForConnection: true };
  if (how === "deregister") await client.deregisterService(id, call);
  if (how !== "stop") return;
  const entry = await client.getService(id, call);
  await follow(client, entry, TO_STOPPED[entry.state] ?? [], call);
}

async function follow(
  client: LeaseClient,
  entry: ServiceEntry,
  states: readonly ServiceState[],
  call: Call,
): Promise<ServiceEntry> {
  let now = entry;
  try {
    for (const state of states) {
      now = await client.updateService(
        { name: entry.id, state, state_reason: "by its owner" },
        call,
      );
    }
  } catch (error) {
    // Somebody else has changed its state meanwhile.
    if (!(error instanceof HarnessError && error.code === "invalid_transition")) throw error;
  }
  return now;
}

/** A failed heartbeat is repeated soon, so that a short interruption does not cost the lease. */
function retryDelayMs(ttlMs: number): number {
  const delay = (ttlMs / 12) * (0.5 + Math.random());
  return Math.max(CLIENT_LEASE_RETRY_MIN_MS, Math.min(CLIENT_LEASE_RETRY_MAX_MS, delay));
}
