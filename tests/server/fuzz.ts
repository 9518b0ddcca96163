/** Frames that are nearly right: mutated requests from a seeded generator. */
import { ACTION_NAMES } from "../../src/protocol/actions.ts";

/** A frame and the id its answer must carry; `undefined` when that cannot be told from outside. */
export interface FuzzedFrame {
  readonly data: string | Uint8Array<ArrayBuffer>;
  readonly id: string | undefined;
}

/** A deterministic stream of numbers in [0, 1): mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const NAMES = ["a", "b", "c@h", "__proto__", "", "x".repeat(200), "é", "a*", "-", "toString"];
const KEYS = ["name", "service", "state", "limit", "events", "services", "since", "snapshot"]
  .concat("labels", "endpoints", "depends_on", "if_revision", "subscription", "execution", "id")
  .concat("__proto__", "constructor", "version", "ttl_ms", "replace", "params", "type");

/** Makes fuzzed frames. */
export class Fuzzer {
  readonly #random: () => number;
  #counter = 0;

  /** The same seed gives the same frames. */
  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  /** The next frame. */
  next(): FuzzedFrame {
    const id = `f-${++this.#counter}`;
    const request = {
      id,
      type: "request",
      action: this.#pick<string>(ACTION_NAMES),
      params: this.#params(),
    };
    const roll = this.#random();
    if (roll < 0.35) return { data: JSON.stringify(request), id };
    if (roll < 0.45) return { data: JSON.stringify({ ...request, action: this.#text() }), id };
    if (roll < 0.55) {
      return {
        data: JSON.stringify({ ...request, [this.#pick(KEYS)]: this.#value(4) }),
        id: undefined,
      };
    }
    if (roll < 0.60) return { data: new TextEncoder().encode(JSON.stringify(request)), id };
    if (roll < 0.65) return { data: this.#bytes(), id: undefined };
    if (roll < 0.70) return { data: this.#nested(id), id };
    return { data: this.#mutate(JSON.stringify(request)), id: undefined };
  }

  #params(): unknown {
    const roll = this.#random();
    const name = this.#pick(NAMES);
    if (roll < 0.15) return { name };
    if (roll < 0.25) {
      return {
        service: { name, version: "1", execution: { type: "systemd_service", unit_name: "u" } },
        replace: true,
      };
    }
    if (roll < 0.30) {
      return { name, state: this.#pick(["starting", "running", "stopping", "stopped", "failed"]) };
    }
    if (roll < 0.35) return { name, labels: { [this.#text()]: this.#text() } };
    if (roll < 0.40) return { services: [name], snapshot: this.#random() < 0.5 };
    const params: Record<string, unknown> = {};
    for (let i = this.#int(4); i > 0; i--) params[this.#pick(KEYS)] = this.#value(3);
    return params;
  }

  #value(depth: number): unknown {
    switch (this.#int(depth > 0 ? 9 : 6)) {
      case 0:
        return this.#pick(NAMES);
      case 1:
        return this.#int(1000) - 500;
      case 2:
        return this.#random() * 1e300;
      case 3:
        return null;
      case 4:
        return this.#random() < 0.5;
      case 5:
        return this.#text();
      case 6:
        return Array.from({ length: this.#int(5) }, () => this.#value(depth - 1));
      default: {
        const keys = Array.from({ length: this.#int(4) }, () => this.#pick(KEYS));
        return Object.fromEntries(keys.map((key) => [key, this.#value(depth - 1)]));
      }
    }
  }

  /** Deletes, doubles, swaps or replaces pieces of a text, or cuts it off. */
  #mutate(text: string): string {
    let mutated = text;
    for (let i = 1 + this.#int(4); i > 0; i--) {
      const at = this.#int(mutated.length + 1);
      const length = this.#int(12);
      const piece = mutated.slice(at, at + length);
      const [before, after] = [mutated.slice(0, at), mutated.slice(at + length)];
      mutated = this.#pick([
        () => before + after,
        () => before + piece + piece + after,
        () => before + this.#text() + after,
        () =>
          before + this.#pick(['"', "{", "}", "[", "]", ",", ":", "\\", "\0", "\ud800"]) + piece +
          after,
        () => before,
      ])();
    }
    return mutated;
  }

  #nested(id: string): string {
    const depth = 1 + this.#int(5000);
    const open = this.#random() < 0.5 ? ["[", "]"] : ['{"a":', "}"];
    const inner = `${open[0]?.repeat(depth)}0${open[1]?.repeat(depth)}`;
    return `{"id":"${id}","type":"request","action":"list_services","params":{"x":${inner}}}`;
  }

  #text(): string {
    const length = this.#int(20);
    return Array.from({ length }, () => String.fromCharCode(this.#int(0x3000))).join("");
  }

  #bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: this.#int(64) }, () => this.#int(256));
  }

  #int(below: number): number {
    return Math.floor(this.#random() * below);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#int(list.length)] as T;
  }
}
