/**
 * Values by instance, with the names of their services.
 *
 * @module
 */

/** Values by instance id; whether one belongs to a service of some name is known without a walk over them. */
export class InstanceMap<V> {
  readonly #values = new Map<string, V>();
  /** The names of each id: the part before its `@`, and those it was given. */
  readonly #names = new Map<string, Set<string>>();
  /** How many ids have a name. */
  readonly #counts = new Map<string, number>();

  /** The value of an instance. */
  get(id: string): V | undefined {
    return this.#values.get(id);
  }

  /** Whether there is a value of an instance. */
  has(id: string): boolean {
    return this.#values.has(id);
  }

  /** Whether there is a value of an instance of a service. */
  hasName(name: string): boolean {
    return this.#counts.has(name);
  }

  /** All values. */
  values(): Iterable<V> {
    return this.#values.values();
  }

  /** Adds or replaces a value; an id of the user's own choice does not have the name of the service in it. */
  set(id: string, value: V, name?: string): void {
    this.#values.set(id, value);
    this.addName(id, id.replace(/@.*/s, ""));
    if (name !== undefined) this.addName(id, name);
  }

  /** Adds a name to those of an instance, if there is a value of it. */
  addName(id: string, name: string): void {
    if (!this.#values.has(id)) return;
    let names = this.#names.get(id);
    if (names === undefined) this.#names.set(id, names = new Set());
    if (names.has(name)) return;
    names.add(name);
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Removes a value, if any. */
  delete(id: string): void {
    this.#values.delete(id);
    for (const name of this.#names.get(id) ?? []) {
      const count = (this.#counts.get(name) ?? 0) - 1;
      if (count > 0) this.#counts.set(name, count);
      else this.#counts.delete(name);
    }
    this.#names.delete(id);
  }
}
