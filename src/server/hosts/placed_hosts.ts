/**
 * Reaches the machines of placements and creates their controllers.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { createController } from "../../lifecycle/controller.ts";
import type { Controller } from "../../lifecycle/service_spec.ts";
import type { SupervisedService } from "../../lifecycle/supervisor/supervised_service.ts";
import type { HostConnections, HostExecutor } from "./host_connections.ts";
import type { Host, HostDirectory } from "./host_directory.ts";
import { controllerOptions, hostOf, type Placement } from "../services/placements.ts";

/** Options for {@linkcode PlacedHosts}. */
export interface PlacedHostsOptions {
  /** Finds hosts. */
  hosts: HostDirectory;
  /** Connections to them. */
  connections: HostConnections;
  /** Cancels all waits for a connection. */
  signal: AbortSignal;
}

/** Reaches the machines of placements. */
export class PlacedHosts {
  readonly #options: PlacedHostsOptions;
  /** Hosts by key, their name for the supervisor. */
  readonly #byKey = new Map<string, Host>();

  /** Starts without hosts. */
  constructor(options: PlacedHostsOptions) {
    this.#options = options;
  }

  /** A placement in the form that the supervisor takes. */
  watched(placement: Placement): SupervisedService {
    const { id, spec } = placement;
    return { id, spec, host: this.keyOf(placement), ...controllerOptions(placement) };
  }

  /** The machine's name for the supervisor. */
  keyOf(placement: Placement): string {
    const host = hostOf(this.#options.hosts, placement);
    this.#byKey.set(host.key, host);
    return host.key;
  }

  /** The shared connection to a machine that {@linkcode PlacedHosts.keyOf} has named. */
  async executorFor(key: string): Promise<HostExecutor> {
    const host = this.#byKey.get(key);
    if (host === undefined) throw new HarnessError("internal", `Unknown host ${key}`);
    return await this.#options.connections.open(host, this.#options.signal);
  }

  /** The controller of a placement, on the shared connection. */
  async controller(placement: Placement): Promise<Controller> {
    const executor = await this.executorFor(this.keyOf(placement));
    return createController(executor, placement.spec, controllerOptions(placement));
  }

  /** New lines of a placement's log, on a connection of their own: a host limits the commands on one connection. */
  async *follow(placement: Placement, signal: AbortSignal): AsyncGenerator<string> {
    const host = hostOf(this.#options.hosts, placement);
    await using executor = await this.#options.connections.dedicated(host, signal);
    yield* createController(executor, placement.spec, controllerOptions(placement))
      .follow({ signal });
  }
}
