/**
 * Which instances are the server's own, and which may become so without being named.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Registry } from "../../registry/registry.ts";
import type { Placements } from "../services/placements.ts";
import type { VouchedEntries } from "./vouched_entries.ts";

/** What {@linkcode Ownership} looks at. */
export interface OwnershipSources {
  /** Where names are looked up. */
  registry: Registry;
  /** What was deployed or started. */
  placements: Placements;
  /** What deployments work on, by id. */
  reserved: ReadonlyMap<string, unknown>;
  /** What was registered with the token; left out, all counts as such. */
  vouched?: VouchedEntries | undefined;
}

/** Whose an instance is. */
export class Ownership {
  readonly #sources: OwnershipSources;

  /** Asks the sources anew each time. */
  constructor(sources: OwnershipSources) {
    this.#sources = sources;
  }

  /** Whether it is known how an instance is run. */
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
    return this.#has(placements.ids(), name) || this.#has(reserved.keys(), name);
  }

  /** Whether an instance is the server's own, or was registered with the token. */
  isTrusted(id: string): boolean {
    const { vouched } = this.#sources;
    return vouched === undefined || vouched.has(id) || this.manages(id);
  }

  #has(ids: Iterable<string>, name: string): boolean {
    for (const id of ids) {
      if (id === name || id.startsWith(`${name}@`)) return true;
      // An id of the user's own choice: only the entry knows the name.
      if (!id.includes("@") && this.#nameOf(id) === name) return true;
    }
    return false;
  }

  #nameOf(id: string): string | null {
    try {
      return this.#sources.registry.get(id).name;
    } catch (error) {
      if (error instanceof HarnessError) return null;
      throw error;
    }
  }
}
