/**
 * Values by instance, with the names of their services.
 *
 * @module
 */

/** Values by instance id; whether one belongs to a service of some name is known without a walk over them. */
export class InstanceMap<V> {
  readonly #values = new Map<string, V>();
  /** The name of the service of each id, where it is not the part before its `@`. */
  readonly #given = new Map<string, string>();
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
    if (!this.#values.has(id)) this.#count(ownName(id), 1);
    this.#values.set(id, value);
    if (name !== undefined) this.setName(id, name);
  }

  /** Replaces the name that the service of an instance was given, if there is a value of it. */
  setName(id: string, name: string): void {
    if (!this.#values.has(id)) return;
    this.#forgetGiven(id);
    if (name === ownName(id)) return;
    this.#given.set(id, name);
    this.#count(name, 1);
  }

  /** Removes a value, if any. */
  delete(id: string): void {
    if (!this.#values.delete(id)) return;
    this.#forgetGiven(id);
    this.#count(ownName(id), -1);
  }

  #forgetGiven(id: string): void {
    const given = this.#given.get(id);
    if (given !== undefined) this.#count(given, -1);
    this.#given.delete(id);
  }

  #count(name: string, change: number): void {
    const count = (this.#counts.get(name) ?? 0) + change;
    if (count > 0) this.#counts.set(name, count);
    else this.#counts.delete(name);
  }
}

/** The name in an id. */
function ownName(id: string): string {
  return id.replace(/@.*/s, "");
}
