/**
 * Bounds what all clients together have sent of messages that are not all there yet. Each message is bounded by its
 * own limit, but thousands of connections may each leave one unfinished.
 *
 * @module
 */

/** The unfinished messages of a listener. */
export class UnfinishedMessages<Owner extends object> {
  readonly #maxBytes: number;
  readonly #refuse: (owner: Owner) => void;
  readonly #sizes = new Map<Owner, number>();
  #bytes = 0;

  /** `refuse` closes a connection, whose message counts no longer. */
  constructor(maxBytes: number, refuse: (owner: Owner) => void) {
    this.#maxBytes = maxBytes;
    this.#refuse = refuse;
  }

  /** Says how much there is of a message now; 0 when it is finished or its connection gone. */
  set(owner: Owner, bytes: number): void {
    const before = this.#sizes.get(owner) ?? 0;
    if (bytes === before) return;
    this.#bytes += bytes - before;
    if (bytes === 0) this.#sizes.delete(owner);
    else this.#sizes.set(owner, bytes);
    while (this.#bytes > this.#maxBytes) this.#refuseLargest();
  }

  /** Of many, the largest makes room: those who send small ones, or send them whole, are not disturbed. */
  #refuseLargest(): void {
    let largest: Owner | undefined;
    let size = 0;
    for (const [owner, bytes] of this.#sizes) {
      if (bytes > size) [largest, size] = [owner, bytes];
    }
    if (largest === undefined) return;
    this.set(largest, 0);
    this.#refuse(largest);
  }
}
