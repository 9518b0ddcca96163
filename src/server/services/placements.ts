/**
 * Persistent records of the services that the server manages: where each is and how it is run.
 *
 * The registry's entry has what clients may know; the placement has what a controller needs.
 * Placements survive a restart of the server, so running services are found again.
 *
 * @module
 */
import type { RunManager } from "../../lifecycle/drivers/driver.ts";
import { dependsOnSystemd } from "../../lifecycle/drivers/table.ts";
import type { ControllerOptions } from "../../lifecycle/drivers/driver.ts";
import type { ServiceSpec } from "../../lifecycle/service_spec.ts";
import { upgradeSpec } from "../../lifecycle/upgrade_spec.ts";
import type { TargetSpec } from "../../protocol/actions.ts";
import { COLLECTIONS, type DocumentStore } from "../backends.ts";
import type { Host, HostDirectory } from "../hosts/host_directory.ts";
import { InstanceMap } from "./instance_map.ts";

const COLLECTION = COLLECTIONS.placements;

/** How one instance is run, and where. */
export interface Placement {
  /** Instance id in the registry. */
  id: string;
  /** The machine. */
  target: "local" | TargetSpec;
  /** How root is obtained there; missing in records of earlier versions. */
  become?: "sudo" | null;
  /** Identity of machine and directory, independent of the host's name; changes with a reboot. */
  place?: string;
  /** Its process manager; left out where it is detected at the first call. */
  manager?: RunManager;
  /** Its spec for the controller. */
  spec: ServiceSpec;
  /** Whether a deployment put it there, or a client registered a command and started it. */
  origin: "deployed" | "registered";
}

/** The host of a placement, reached in the recorded way. */
export function hostOf(hosts: HostDirectory, { target, become }: Placement): Host {
  return hosts.resolve(target, become === undefined ? {} : { become });
}

/** Controller options of a placement, as far as recorded. */
export function controllerOptions({ manager, spec }: Placement): ControllerOptions {
  return manager === undefined || !dependsOnSystemd(spec.execution)
    ? {}
    : { systemd: manager === "systemd" };
}

/** Finds the name of the service of an instance that is registered. */
type NameOf = (id: string) => string | undefined;

/** All placements, in memory and on disk. */
export class Placements {
  readonly #documents: DocumentStore;
  readonly #nameOf: NameOf;
  readonly #byId = new InstanceMap<Placement>();
  /** Ids by {@linkcode spotOf}. */
  readonly #bySpot = new Map<string, Set<string>>();

  private constructor(documents: DocumentStore, nameOf: NameOf) {
    this.#documents = documents;
    this.#nameOf = nameOf;
  }

  /** Loads the placements of earlier runs of the server. */
  static async load(documents: DocumentStore, nameOf: NameOf): Promise<Placements> {
    const placements = new Placements(documents, nameOf);
    for (const { value } of await documents.list(COLLECTION)) {
      // Written by this file only, and the store checks that it is whole.
      const recorded = value as Placement;
      placements.#set({ ...recorded, spec: upgradeSpec(recorded.spec) });
    }
    return placements;
  }

  /** The placement of an instance. */
  get(id: string): Placement | undefined {
    return this.#byId.get(id);
  }

  /** All of them. */
  all(): Placement[] {
    return [...this.#byId.values()];
  }

  /** Whether there is one of an instance of a service. */
  hasName(name: string): boolean {
    return this.#byId.hasName(name);
  }

  /** Notes the name under which an instance is registered now. */
  setName(id: string, name: string): void {
    this.#byId.setName(id, name);
  }

  /** The instance already deployed at a place, whatever its host's name, or `null`. */
  placedAt(name: string, place: string): string | null {
    const [first = null] = this.#bySpot.get(spotOf({ name, place })) ?? [];
    return first;
  }

  /** The placement of a deployed instance, or `null`. */
  deployedAs(id: string): Placement | null {
    const placement = this.get(id);
    return placement?.origin === "deployed" ? placement : null;
  }

  /** Adds or replaces one. */
  async put(placement: Placement): Promise<void> {
    await this.#documents.put(COLLECTION, placement.id, placement);
    this.#set(placement);
  }

  /** Removes one, if any. */
  async remove(id: string): Promise<void> {
    await this.#documents.remove(COLLECTION, id);
    this.#leave(this.#byId.get(id));
    this.#byId.delete(id);
  }

  #set(placement: Placement): void {
    const { id, place, spec: { name } } = placement;
    const before = this.#byId.get(id);
    this.#byId.set(id, placement, this.#nameOf(id));
    if (before !== undefined && before.place === place && before.spec.name === name) return;
    this.#leave(before);
    if (place === undefined) return;
    const spot = spotOf({ name, place });
    this.#bySpot.set(spot, (this.#bySpot.get(spot) ?? new Set()).add(id));
  }

  #leave(placement: Placement | undefined): void {
    if (placement?.place === undefined) return;
    const { id, place, spec: { name } } = placement;
    const spot = spotOf({ name, place });
    const ids = this.#bySpot.get(spot);
    ids?.delete(id);
    if (ids?.size === 0) this.#bySpot.delete(spot);
  }
}

/** A service at a place, as a key. */
function spotOf({ name, place }: { name: string; place: string }): string {
  return JSON.stringify([name, place]);
}
