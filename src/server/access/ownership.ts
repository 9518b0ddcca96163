/**
 * Decides which instances are the server's own, and which may be started without being named.
 *
 * @module
 */
import type { EntryData } from "../../model/event.ts";
import type { InstanceMap } from "../services/instance_map.ts";
import type { Placements } from "../services/placements.ts";
import type { VouchedEntries } from "./vouched_entries.ts";

/** Sources of {@linkcode Ownership}. */
export interface OwnershipSources {
  /** Placements of what was deployed or started. */
  placements: Placements;
  /** Instances that deployments work on, by id. */
  reserved: InstanceMap<unknown>;
  /** Entries registered with the token; left out, all count as such. */
  vouched?: VouchedEntries | undefined;
}

/** Knows which instances the server owns. */
export class Ownership {
  readonly #sources: OwnershipSources;

  /** Keeps no state: each call reads the sources. */
  constructor(sources: OwnershipSources) {
    this.#sources = sources;
  }

  /** Whether there is a placement of an instance. */
  isPlaced(id: string): boolean {
    return this.#sources.placements.get(id) !== undefined;
  }

  /** Whether the server has deployed or started an instance, or a deployment works on it. */
  manages(id: string): boolean {
    return this.isPlaced(id) || this.#sources.reserved.has(id);
  }

  /** Whether an instance of a name is one that the server {@linkcode Ownership.manages}. */
  managesName(name: string): boolean {
    const { placements, reserved } = this.#sources;
    return placements.hasName(name) || reserved.hasName(name);
  }

  /** Notes the present name of an instance: an id of the user's own choice does not have it in it. */
  noteName({ id, service }: Pick<EntryData, "id" | "service">): void {
    this.#sources.placements.setName(id, service);
    this.#sources.reserved.setName(id, service);
  }

  /** Whether an instance is the server's own, or was registered with the token. */
  isTrusted(id: string): boolean {
    const { vouched } = this.#sources;
    return vouched === undefined || vouched.has(id) || this.manages(id);
  }
}
