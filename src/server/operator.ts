/**
 * Carries out `service_action` and `service_logs`: drives the state in the registry and the controller on
 * the host together, one action at a time per service.
 *
 * @module
 */
import { HarnessError, messageOf, toHarnessError } from "../errors.ts";
import { DEFAULT_LOG_TAIL_LINES } from "../limits.ts";
import { createController } from "../lifecycle/controller.ts";
import type { Controller, ServiceStatus } from "../lifecycle/service_spec.ts";
import type { ActionData, ActionParams, Target } from "../protocol/actions.ts";
import type { Execution, ServiceEntry, ServicePatch } from "../registry/entry.ts";
import { KeyedMutex } from "../registry/keyed_mutex.ts";
import type { Registry } from "../registry/registry.ts";
import type { CallContext, ServiceOperator } from "./backends.ts";
import type { DocumentStore } from "./documents.ts";
import { entrySpec } from "./entry_spec.ts";
import type { HostConnections } from "./host_connections.ts";
import { type HostDirectory, targetOf } from "./hosts.ts";
import { type Placement, Placements } from "./placements.ts";

/** What an {@linkcode Operator} works with. */
export interface OperatorOptions {
  /** Where states are kept. */
  registry: Registry;
  /** Where placements are kept. */
  documents: DocumentStore;
  /** Finds hosts. */
  hosts: HostDirectory;
  /** Connections to them. */
  connections: HostConnections;
  /** Writable directory on this machine for pid files and logs of services without a package. */
  localRunRoot: string;
}

type ServiceAction = ActionParams<"service_action">["action"];

/** Controls services. */
export class Operator implements ServiceOperator {
  readonly #options: OperatorOptions;
  readonly #placements: Placements;
  readonly #perService = new KeyedMutex();
  /** Instances that a deployment works on, and which. */
  readonly #reserved = new Map<string, string>();

  private constructor(options: OperatorOptions, placements: Placements) {
    this.#options = options;
    this.#placements = placements;
  }

  /** An operator with the placements that an earlier server left. */
  static async open(options: OperatorOptions): Promise<Operator> {
    return new Operator(options, await Placements.load(options.documents));
  }

  /** Carries an action out, with its dependencies or dependents when `cascade` is given. */
  async act(
    params: ActionParams<"service_action">,
    context: CallContext,
  ): Promise<ActionData<"service_action">> {
    const entry = this.#options.registry.get(params.name);
    return await this.#actOn(entry.id, params.action, context.signal);
  }

  /** The last lines of a service's log. */
  async logs(
    params: ActionParams<"service_logs">,
    { signal }: CallContext,
  ): Promise<ActionData<"service_logs">> {
    const entry = this.#options.registry.get(params.name);
    const lines = params.tail ?? DEFAULT_LOG_TAIL_LINES;
    return await this.#withController(entry, async (controller) => ({
      lines: await controller.logs(lines, { signal }),
    }), signal);
  }

  /** New lines of an instance's log until `signal` fires. */
  async *follow(id: string, signal: AbortSignal): AsyncGenerator<string> {
    const entry = this.#options.registry.get(id);
    const { spec, target } = this.#placementOf(entry);
    const host = this.#options.hosts.resolve(target);
    const executor = await this.#options.connections.open(host, signal);
    yield* createController(executor, spec).follow({ signal });
  }

  /** Where an entry is. */
  targetOf(entry: ServiceEntry): Target {
    return this.#placements.get(entry.id)?.target ?? targetOf(entry.location);
  }

  /** Remembers how a deployed service is run. */
  async place(placement: Placement): Promise<void> {
    await this.#placements.put(placement);
  }

  /**
   * Keeps clients' actions off these instances until {@linkcode Operator.release}; waits for actions under way.
   */
  async reserve(ids: readonly string[], owner: string): Promise<void> {
    for (const id of ids) this.#reserved.set(id, owner);
    for (const id of ids) await this.#perService.run(id, () => Promise.resolve());
  }

  /** Lets clients act on these instances again. */
  release(ids: readonly string[]): void {
    for (const id of ids) this.#reserved.delete(id);
  }

  async #actOn(
    id: string,
    action: ServiceAction,
    signal: AbortSignal,
  ): Promise<ActionData<"service_action">> {
    return await this.#perService.run(id, async () => {
      const owner = this.#reserved.get(id);
      if (owner !== undefined) {
        throw new HarnessError(
          "conflict",
          `Cannot ${action} ${id}: ${owner} is under way; wait for it or cancel it`,
          { details: { id, owner } },
        );
      }
      const entry = this.#options.registry.get(id);
      await this.#carryOut(entry, action, signal);
      const after = this.#options.registry.get(id);
      return { service: id, old_state: entry.state, new_state: after.state };
    });
  }

  async #carryOut(entry: ServiceEntry, action: ServiceAction, signal: AbortSignal): Promise<void> {
    switch (action) {
      case "start":
        return await this.#start(entry, "started by client", signal);
      case "stop":
        return await this.#stop(entry, "stopped by client", signal);
      case "restart":
        if (entry.state === "running" || entry.state === "starting") {
          await this.#stop(entry, "restarted by client", signal);
        }
        return await this.#start(entry, "restarted by client", signal);
      case "reload":
        return await this.#reload(entry, signal);
    }
  }

  async #start(entry: ServiceEntry, reason: string, signal: AbortSignal): Promise<void> {
    const { registry } = this.#options;
    await registry.update(entry.id, { state: "starting", state_reason: reason });
    await this.#want(entry, "running");
    await this.#orFailed(entry, "start", async () => {
      const status = await this.#withController(entry, (c) => c.start({ signal }), signal);
      await registry.update(entry.id, {
        state: "running",
        state_reason: reason,
        ...executionPatch(registry.get(entry.id).execution, status),
      });
    });
  }

  async #stop(entry: ServiceEntry, reason: string, signal: AbortSignal): Promise<void> {
    const { registry } = this.#options;
    await registry.update(entry.id, { state: "stopping", state_reason: reason });
    await this.#want(entry, "stopped");
    await this.#orFailed(entry, "stop", async () => {
      const status = await this.#withController(entry, (c) => c.stop({ signal }), signal);
      await registry.update(entry.id, {
        state: "stopped",
        state_reason: reason,
        ...executionPatch(registry.get(entry.id).execution, status),
      });
    });
  }

  async #reload(entry: ServiceEntry, signal: AbortSignal): Promise<void> {
    if (entry.state !== "running") {
      throw new HarnessError(
        "invalid_transition",
        `Cannot reload ${entry.id}: it is ${entry.state}; only a running service reloads`,
        { details: { id: entry.id, from: entry.state } },
      );
    }
    await this.#withController(entry, (controller) => controller.reload({ signal }), signal);
  }

  /** Runs `step`; when it does not work the service is `failed`, with the reason, and the caller is told. */
  async #orFailed(entry: ServiceEntry, action: string, step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      const { code, message, details } = toHarnessError(error);
      const reason = code === "internal" ? messageOf(error) : message;
      await this.#options.registry.update(entry.id, {
        state: "failed",
        state_reason: `${action} failed: ${reason}`.slice(0, 2000),
      });
      throw code === "internal" ? error : new HarnessError(code, message, {
        details: { ...details, id: entry.id, state: "failed" },
        cause: error,
      });
    }
  }

  async #want(entry: ServiceEntry, desired: Placement["desired"]): Promise<void> {
    await this.#placements.put({ ...this.#placementOf(entry), desired });
  }

  /** How an entry is run: as it was deployed, else as its own fields say. */
  #placementOf(entry: ServiceEntry): Placement {
    const known = this.#placements.get(entry.id);
    if (known !== undefined) return known;
    const target = targetOf(entry.location);
    const { installRoot } = this.#options.hosts.resolve(target);
    const runRoot = target === "local"
      ? this.#options.localRunRoot
      : `${installRoot}/.harness/registered`;
    return { id: entry.id, target, spec: entrySpec(entry, runRoot), desired: "stopped" };
  }

  async #withController<T>(
    entry: ServiceEntry,
    use: (controller: Controller) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const { spec, target } = this.#placementOf(entry);
    const host = this.#options.hosts.resolve(target);
    const executor = await this.#options.connections.open(host, signal);
    return await use(createController(executor, spec));
  }
}

/** The execution with what the controller saw of it, when that is news. */
function executionPatch(execution: Execution, status: ServiceStatus): ServicePatch {
  if (execution.type === "managed_process" && execution.pid !== status.pid) {
    return { execution: { ...execution, pid: status.pid } };
  }
  if (
    execution.type === "docker_container" && execution.container_id !== status.containerId
  ) {
    return { execution: { ...execution, container_id: status.containerId } };
  }
  return {};
}
