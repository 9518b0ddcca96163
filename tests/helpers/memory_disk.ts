/**
 * A disk in memory that knows what a real one may forget: content not synced, and directory entries whose
 * directory was not synced. It can fail, and it can be cut off from power at any operation.
 */
import type { Disk, DiskFile } from "../../src/storage/disk.ts";

type Write = { at: number; bytes: Uint8Array } | { cut: number };
interface Inode {
  /** As the running system sees it. */
  data: Uint8Array;
  /** As it was at the last sync. */
  synced: Uint8Array;
  /** What happened since then, in order. */
  unsynced: Write[];
}
type Names = Map<string, Inode>;

/** A source of numbers from 0 to 1 that can be replayed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** An error as the operating system gives it. */
export function osError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** Decides for an operation whether it fails: returns an error, a number of bytes to write at most, or nothing. */
export type Fault = (operation: string, index: number) => Error | number | undefined;

/** Files in memory. */
export class MemoryDisk implements Disk {
  /** Whether a file may have two names. */
  hardLinks = true;
  /** Operations so far. */
  operations = 0;
  /** Called before each operation. */
  fault: Fault = () => undefined;
  #names: Names = new Map();
  readonly #identities = new Map<Inode, string>();
  /** Directory entries that are on the medium. */
  #durable: Names = new Map();
  /** Changes of directory entries that are not, in order. */
  #pending: Array<(names: Names) => void> = [];

  /** The files as they are, by path. */
  files(): Map<string, Uint8Array> {
    return new Map([...this.#names].map(([path, inode]) => [path, inode.data]));
  }

  /** A disk that holds these files, all synced. */
  static of(files: Map<string, Uint8Array>): MemoryDisk {
    const disk = new MemoryDisk();
    for (const [path, data] of files) {
      const inode = { data: data.slice(), synced: data.slice(), unsynced: [] };
      disk.#names.set(path, inode);
      disk.#durable.set(path, inode);
    }
    return disk;
  }

  /**
   * What the medium may hold if the power went now: some of the directory changes, oldest first, and of
   * each file some of the unsynced writes, the last of them torn, or space allocated and never written.
   */
  afterPowerCut(random: () => number): Map<string, Uint8Array> {
    const names: Names = new Map(this.#durable);
    const kept = Math.floor(random() * (this.#pending.length + 1));
    for (const change of this.#pending.slice(0, kept)) change(names);
    return new Map([...names].map(([path, inode]) => [path, contentAfterCut(inode, random)]));
  }

  makeDir(_path: string): Promise<void> {
    return this.#step("makeDir", () => {});
  }

  list(dir: string): Promise<string[]> {
    return this.#step("list", () => {
      const inside = [...this.#names.keys()].filter((path) => path.startsWith(`${dir}/`));
      return inside.map((path) => path.slice(dir.length + 1)).filter((name) => !name.includes("/"));
    });
  }

  read(path: string): Promise<Uint8Array | null> {
    return this.#step("read", () => this.#names.get(path)?.data.slice() ?? null);
  }

  create(path: string): Promise<DiskFile> {
    return this.#step("create", () => {
      const inode: Inode = { data: new Uint8Array(), synced: new Uint8Array(), unsynced: [] };
      this.#change((names) => names.set(path, inode));
      return this.#open(inode);
    });
  }

  append(path: string): Promise<DiskFile> {
    return this.#step("append", () => this.#open(this.#existing(path)));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#step("rename", () => {
      const inode = this.#existing(from);
      this.#change((names) => {
        names.delete(from);
        names.set(to, inode);
      });
    });
  }

  link(from: string, to: string): Promise<void> {
    return this.#step("link", () => {
      const inode = this.#existing(from);
      this.#change((names) => {
        // Without hard links the old name is gone until the next file takes it.
        if (!this.hardLinks) names.delete(from);
        names.set(to, inode);
      });
    });
  }

  remove(path: string): Promise<void> {
    return this.#step("remove", () => this.#change((names) => names.delete(path)));
  }

  identity(path: string): Promise<string | null> {
    return this.#step("identity", () => {
      const inode = this.#names.get(path);
      if (inode === undefined) return null;
      const known = this.#identities.get(inode) ?? `${this.#identities.size}`;
      this.#identities.set(inode, known);
      return known;
    });
  }

  syncDir(_path: string): Promise<void> {
    return this.#step("syncDir", () => {
      this.#durable = new Map(this.#names);
      this.#pending = [];
    });
  }

  #open(inode: Inode): DiskFile {
    const write = (bytes: Uint8Array): number => {
      inode.unsynced.push({ at: inode.data.length, bytes: bytes.slice() });
      inode.data = joined(inode.data, bytes);
      return bytes.length;
    };
    return {
      write: (bytes) => {
        const limit = this.#check("write");
        if (limit instanceof Error) {
          // A failing write may well have written something first.
          write(bytes.subarray(0, bytes.length >> 1));
          return Promise.reject(limit);
        }
        return later(() => write(limit === undefined ? bytes : bytes.subarray(0, limit)));
      },
      sync: () =>
        this.#step("sync", () => {
          inode.synced = inode.data;
          inode.unsynced = [];
        }),
      truncate: (length) =>
        this.#step("truncate", () => {
          inode.unsynced.push({ cut: length });
          inode.data = inode.data.slice(0, length);
        }),
      close: () => later(() => {}),
    };
  }

  #existing(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw osError("ENOENT");
    return inode;
  }

  #change(change: (names: Names) => void): void {
    change(this.#names);
    this.#pending.push(change);
  }

  #check(operation: string): Error | number | undefined {
    return this.fault(operation, this.operations++);
  }

  async #step<T>(operation: string, run: () => T): Promise<T> {
    const problem = this.#check(operation);
    if (problem instanceof Error) throw problem;
    return await later(run);
  }
}

/** Runs a little later, as real input and output does. */
async function later<T>(run: () => T): Promise<T> {
  await Promise.resolve();
  return run();
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

function contentAfterCut(inode: Inode, random: () => number): Uint8Array {
  let data: Uint8Array = inode.synced.slice();
  const kept = Math.floor(random() * (inode.unsynced.length + 1));
  for (const [i, write] of inode.unsynced.slice(0, kept).entries()) {
    if ("cut" in write) {
      data = data.slice(0, write.cut);
      continue;
    }
    const torn = i === kept - 1 && random() < 0.7;
    const bytes = write.bytes.slice();
    if (torn) {
      const part = Math.floor(random() * bytes.length);
      if (random() < 0.5) {
        data = joined(data.slice(0, write.at), bytes.subarray(0, part));
        continue;
      }
      bytes.fill(0, part);
    }
    data = joined(data.slice(0, write.at), bytes);
  }
  return data;
}
