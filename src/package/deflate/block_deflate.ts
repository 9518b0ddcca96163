/**
 * Compresses one block after another, each by itself, so that they can be compressed at once and joined to one stream.
 *
 * By WebAssembly and not by node:zlib: Deno, Node and Bun each have another zlib, and from the same input these make
 * other bytes.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { LIBDEFLATE_WASM } from "./libdeflate_wasm.ts";

/** Bytes of a block. The last one may be shorter. The bytes of a package depend on it. */
export const BLOCK_BYTES: number = 1024 * 1024;
/** libdeflate's. The bytes of a package depend on it. */
const LEVEL = 5;
/** A final empty block: it ends the joined blocks. */
export const STREAM_END: Uint8Array = Uint8Array.of(3, 0);

/** Makes of a block its part of a deflate stream. */
export type BlockDeflate = (block: Uint8Array) => Uint8Array;

/** What the module exports. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  init(level: number, blockBytes: number): void;
  input(): number;
  output(): number;
  deflate(bytes: number): number;
}

/** The part of `WebAssembly` that is used; Node's types have none. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => unknown;
  readonly Instance: new (module: unknown, imports: object) => { readonly exports: unknown };
}

/**
 * Begins to compress; the parameters are all it uses, because workers get it as text.
 *
 * @param wasm The module.
 * @returns Compresses blocks of `blockBytes` at most.
 */
export function openDeflate(
  wasm: Uint8Array,
  { level, blockBytes }: DeflateOptions,
): BlockDeflate {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
  const made = new Instance(new Module(wasm), {}).exports as Exports;
  made.init(level, blockBytes);
  return (block) => {
    new Uint8Array(made.memory.buffer, made.input(), block.byteLength).set(block);
    const length = made.deflate(block.byteLength);
    return new Uint8Array(made.memory.buffer, made.output(), length).slice();
  };
}

/** Options for {@linkcode openDeflate}. */
export interface DeflateOptions {
  /** libdeflate's compression level, 1 to 7. */
  readonly level: number;
  /** Most bytes of a block. */
  readonly blockBytes: number;
}

/** How packages are compressed. */
export const PACKAGE_DEFLATE: DeflateOptions = { level: LEVEL, blockBytes: BLOCK_BYTES };

/** The module's bytes. */
export function wasmBytes(): Uint8Array {
  return new Uint8Array(Buffer.from(LIBDEFLATE_WASM, "base64"));
}
