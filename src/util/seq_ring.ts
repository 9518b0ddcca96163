/**
 * The newest items of a numbered sequence, bounded by count and by bytes.
 *
 * @module
 */

/** Bounds of a {@linkcode SeqRing}. */
export interface RingBounds {
  /** Span of seqs that is kept. */
  maxSeqs: number;
  /** Bytes that are kept. */
  maxBytes: number;
}

/** Measures of an item, which may cover several seqs. */
export interface RingMeasures<T> {
  /** The last seq of an item. */
  seqOf(item: T): number;
  /** The bytes of an item. */
  bytesOf(item: T): number;
  /** Called with each item that is evicted. */
  evicted?(item: T): void;
}

/** A gapless run of items, newest last; the oldest are evicted. */
export class SeqRing<T> {
  readonly #bounds: RingBounds;
  readonly #measures: RingMeasures<T>;
  #items: Array<T | undefined> = [];
  /** Index of the oldest item; the evicted ones before it are cut off in bulk. */
  #head = 0;
  #floor: number;
  #bytes = 0;
  #seq: number;

  /** An empty ring after `seq`. */
  constructor(seq: number, bounds: RingBounds, measures: RingMeasures<T>) {
    this.#seq = this.#floor = seq;
    this.#bounds = bounds;
    this.#measures = measures;
  }

  /** Seq of the newest item. */
  get seq(): number {
    return this.#seq;
  }

  /** Seq before the oldest item. */
  get floor(): number {
    return this.#floor;
  }

  /** Bytes of the items. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds an item whose first seq is `first`; an item that leaves a gap evicts all before it. */
  push(first: number, item: T): void {
    if (first !== this.#seq + 1) this.#clear(first - 1);
    this.#items.push(item);
    this.#bytes += this.#measures.bytesOf(item);
    this.#seq = this.#measures.seqOf(item);
    const { maxSeqs, maxBytes } = this.#bounds;
    while (this.#seq - this.#floor > maxSeqs || this.#bytes > maxBytes) this.#evict();
    if (this.#head > 1024 && 2 * this.#head > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Whether everything after a seq is kept. */
  covers(seq: number): boolean {
    return seq >= this.#floor && seq <= this.#seq;
  }

  /** The items after a seq, the first of which may begin before it. */
  *after(seq: number): Generator<T> {
    for (let at = this.#indexAfter(seq); at < this.#items.length; at++) {
      const item = this.#items[at];
      if (item !== undefined) yield item;
    }
  }

  /** Index of the first item that ends after a seq. */
  #indexAfter(seq: number): number {
    let low = this.#head;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = this.#items[middle];
      if (item === undefined || this.#measures.seqOf(item) <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #evict(): void {
    const item = this.#items[this.#head];
    if (item !== undefined) {
      this.#bytes -= this.#measures.bytesOf(item);
      this.#floor = this.#measures.seqOf(item);
      this.#measures.evicted?.(item);
    }
    // Released now: the array keeps the slot for a while.
    this.#items[this.#head] = undefined;
    this.#head++;
  }

  #clear(floor: number): void {
    while (this.#head < this.#items.length) this.#evict();
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#floor = floor;
  }
}
