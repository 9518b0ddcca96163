/**
 * What the server remembers of each service it controls: where it is and how it is run.
 *
 * The registry's entry says what clients may know; the placement holds what a controller needs.
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
import type { DocumentStore } from "../backends.ts";
import type { Host, HostDirectory } from "../hosts/host_directory.ts";

const COLLECTION = "placements";

/** How one instance is run, and where. */
export interface Placement {
  /** Instance id in the registry. */
  id: string;
  /** The machine. */
  target: "local" | TargetSpec;
  /** How root is become there; left out by servers that did not record it. */
  become?: "sudo" | null;
  /** The machine and directory it is on, under whatever name it is reached; another one after a reboot. */
  place?: string;
  /** What runs it; left out where the machine is asked at the first call. */
  manager?: RunManager;
  /** How its controller runs it. */
  spec: ServiceSpec;
  /** Whether a deployment put it there, or a client registered a command and started it. */
  origin: "deployed" | "registered";
}

/** The host of a placement, reached as it was when it was placed. */
export function hostOf(hosts: HostDirectory, { target, become }: Placement): Host {
  return hosts.resolve(target, become === undefined ? {} : { become });
}

/** Which controller a placement has, as far as that is recorded. */
export function controllerOptions({ manager, spec }: Placement): ControllerOptions {
  return manager === undefined || !dependsOnSystemd(spec.execution)
    ? {}
    : { systemd: manager === "systemd" };
}

/** All placements, in memory and on disk. */
export class Placements {
  readonly #documents: DocumentStore;
  readonly #byId = new Map<string, Placement>();

  private constructor(documents: DocumentStore) {
    this.#documents = documents;
  }

  /** Loads what an earlier server left. */
  static async load(documents: DocumentStore): Promise<Placements> {
    const placements = new Placements(documents);
    for (const { value } of await documents.list(COLLECTION)) {
      // Written by this file only, and the store checks that it is whole.
      const recorded = value as Placement;
      const placement = { ...recorded, spec: upgradeSpec(recorded.spec) };
      placements.#byId.set(placement.id, placement);
    }
    return placements;
  }

  /** The placement of an instance. */
  get(id: string): Placement | undefined {
    return this.#byId.get(id);
  }

  /** The ids of all of them. */
  ids(): Iterable<string> {
    return this.#byId.keys();
  }

  /** All of them. */
  all(): Placement[] {
    return [...this.#byId.values()];
  }

  /** The deployed instance that is at a place already, whatever its host was called, or `null`. */
  placedAt(name: string, place: string): string | null {
    return this.all().find((p) => p.place === place && p.spec.name === name)?.id ?? null;
  }

  /** How an instance is run that a deployment put there, or `null`. */
  deployedAs(id: string): Placement | null {
    const placement = this.get(id);
    return placement?.origin === "deployed" ? placement : null;
  }

  /** Adds or replaces one. */
  async put(placement: Placement): Promise<void> {
    await this.#documents.put(COLLECTION, placement.id, placement);
    this.#byId.set(placement.id, placement);
  }

  /** Forgets one; fine when there is none. */
  async remove(id: string): Promise<void> {
    await this.#documents.remove(COLLECTION, id);
    this.#byId.delete(id);
  }
}
