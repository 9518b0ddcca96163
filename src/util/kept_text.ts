/**
 * Many small texts that are kept for long, as bytes outside of the heap: the garbage collector neither reads nor
 * moves them.
 *
 * They are written one after the other into blocks. What is released leaves a hole; a block that is half empty is
 * given up, and the rest of it moved. Blocks themselves are freed by the collector: a text can be read for as
 * long as anybody has it, released or not.
 *
 * @module
 */

/** Bytes of a block. */
const BLOCK_BYTES = 256 * 1024;
/** Texts of a block: where they are shorter than 256 bytes, it is full before its bytes are used up. */
const BLOCK_TEXTS = 1024;
/** Longer texts stay in the heap: as blocks of their own they would wait for a collection that nothing else needs. */
const MAX_SHARED_BYTES = BLOCK_BYTES / 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A text that can be moved out of the heap. */
export class KeptText {
  /** The text itself, or the block that has it. */
  #in: string | Block;
  #slot = 0;

  /** A text in the heap; one of bytes (UTF-8), which are copied, is outside of it at once. */
  constructor(text: string | Uint8Array) {
    this.#in = "";
    if (typeof text === "string") this.#in = text;
    else if (text.length > MAX_SHARED_BYTES) this.#in = decoder.decode(text);
    else this.#add(text);
  }

  /** The text; one that is outside of the heap is decoded. */
  get text(): string {
    return typeof this.#in === "string" ? this.#in : this.#in.textOf(this.#slot);
  }

  /** Its size: bytes, or characters where it still is in the heap. */
  get size(): number {
    return typeof this.#in === "string" ? this.#in.length : this.#in.bytesOf(this.#slot).length;
  }

  /** Moves it out of the heap. */
  keep(): void {
    if (typeof this.#in !== "string" || 3 * this.#in.length > MAX_SHARED_BYTES) return;
    this.#add(this.#in);
  }

  /** Gives its place up: it is not kept any longer, though whoever has it can read it. */
  release(): void {
    if (typeof this.#in !== "string") this.#in.release(this.#slot);
  }

  /** Moves it on from a block that is given up. */
  move(): void {
    if (typeof this.#in !== "string") this.#add(this.#in.bytesOf(this.#slot));
  }

  #add(text: string | Uint8Array): void {
    const block = roomFor(text);
    this.#slot = block.add(text, this);
    this.#in = block;
  }
}

class Block {
  readonly #bytes = new Uint8Array(BLOCK_BYTES);
  /** The same, in Node's way. */
  readonly #buffer = nodeBuffer(this.#bytes);
  /** Where each text ends. */
  readonly #ends = new Uint32Array(BLOCK_TEXTS);
  /** 1 for each text that is known to be ASCII. */
  readonly #isAscii = new Uint8Array(BLOCK_TEXTS);
  /** Who has the texts that are not released. */
  readonly #owners: Array<KeptText | null> = [];
  #used = 0;
  #released = 0;

  /** Whether a text of so many bytes can be added. */
  hasRoom(bytes: number): boolean {
    return this.#used + bytes <= this.#bytes.length && this.#owners.length < this.#ends.length;
  }

  /** Adds a text; returns its slot. */
  add(text: string | Uint8Array, owner: KeptText): number {
    const rest = this.#bytes.subarray(this.#used);
    const slot = this.#owners.push(owner) - 1;
    if (typeof text === "string") {
      const { written } = encoder.encodeInto(text, rest);
      this.#used += written;
      // A character that is not ASCII takes more than one byte.
      if (written === text.length) this.#isAscii[slot] = 1;
    } else {
      rest.set(text);
      this.#used += text.length;
    }
    this.#ends[slot] = this.#used;
    return slot;
  }

  bytesOf(slot: number): Uint8Array {
    return this.#bytes.subarray(this.#startOf(slot), this.#ends[slot]);
  }

  /** The text of a slot. A text of ASCII is decoded without a view of its bytes, which costs more than decoding it. */
  textOf(slot: number): string {
    if (this.#isAscii[slot] === 1 && this.#buffer !== null) {
      return this.#buffer.latin1Slice(this.#startOf(slot), this.#ends[slot]);
    }
    const bytes = this.bytesOf(slot);
    const text = decoder.decode(bytes);
    // A byte that is no UTF-8 is one character, too.
    if (text.length === bytes.length && !text.includes("\ufffd")) this.#isAscii[slot] = 1;
    return text;
  }

  release(slot: number): void {
    if (this.#owners[slot] === null) return;
    this.#owners[slot] = null;
    this.#released += (this.#ends[slot] ?? 0) - this.#startOf(slot);
    if (this === current || 2 * this.#released < this.#used) return;
    const rest = this.#owners.splice(0);
    for (const owner of rest) owner?.move();
  }

  #startOf(slot: number): number {
    return slot === 0 ? 0 : this.#ends[slot - 1] ?? 0;
  }
}

/** The part of Node's `Buffer` that is used. */
interface NodeBuffer {
  latin1Slice(start: number, end: number | undefined): string;
}

/** A `Buffer` of these bytes; `null` in a browser. */
function nodeBuffer(bytes: Uint8Array): NodeBuffer | null {
  const { Buffer } = globalThis as unknown as {
    readonly Buffer?: { from(bytes: ArrayBufferLike): NodeBuffer };
  };
  return Buffer?.from(bytes.buffer) ?? null;
}

/** The block that is being filled. */
let current: Block | null = null;

/** A block with room for a text. */
function roomFor(text: string | Uint8Array): Block {
  // A character takes three bytes at most.
  const most = typeof text === "string" ? 3 * text.length : text.length;
  if (current?.hasRoom(most) === true) return current;
  return current = new Block();
}
