/**
 * The entries of a package and their rules. The builder and the reader share this table, so what one builds the other
 * accepts, and nothing reaches a disk unchecked.
 *
 * @module
 */
import {
  MAX_ENTRY_PATH_BYTES,
  MAX_PACKAGE_ENTRIES,
  MAX_UNPACKED_BYTES,
} from "../../model/limits.ts";
import { MAX_LINK_HOPS, MAX_LINK_STEPS, MAX_PATH_PART_BYTES } from "../limits.ts";
import { invalid, shown } from "../errors.ts";

/** A file, directory or symbolic link of a package. */
export interface PackageEntry {
  /** Path inside the package, `/` between parts, none at the ends. */
  path: string;
  /** Kind of entry. */
  type: "file" | "directory" | "symlink";
  /** Permission bits; links have 0o777. */
  mode: number;
  /** Bytes of a file, else 0. */
  size: number;
  /** Target of a link, as stored. */
  target: string | null;
  /** SHA-256 of a file, hex; `null` until its bytes were read. */
  sha256: string | null;
}

const encoder = new TextEncoder();

/**
 * `raw` without a leading `./` and, for directories, a trailing `/`; `""` is the package's root.
 *
 * @throws {HarnessError} `package_invalid` when it leads outside, or programs could resolve it differently.
 */
export function entryPath(raw: string, isDirectory: boolean): string {
  const refuse = (reason: "absolute_path" | "path_traversal" | "bad_path", why: string) =>
    invalid(reason, `${shown(raw)} ${why}`, { path: raw.slice(0, 300) });
  if (raw === "") throw refuse("bad_path", "is an empty path");
  if (raw.startsWith("/") || /^[A-Za-z]:/.test(raw)) {
    throw refuse("absolute_path", "is an absolute path: paths begin at the package's root");
  }
  if (/[\p{Cc}\\]/u.test(raw) || !raw.isWellFormed()) {
    throw refuse("bad_path", "has a control character, a backslash or broken Unicode");
  }
  let path = raw.replace(/^(?:\.\/)+/, "");
  if (isDirectory) path = path.replace(/\/$/, "");
  if (path === "" || path === ".") {
    if (!isDirectory) throw refuse("bad_path", "is not the path of a file");
    return "";
  }
  const parts = path.split("/");
  if (parts.includes("..")) throw refuse("path_traversal", "has a '..' in it");
  if (parts.some((part) => part === "" || part === ".")) {
    throw refuse("bad_path", "has an empty part or '.' in it");
  }
  const bytes = encoder.encode(path).byteLength;
  if (bytes > MAX_ENTRY_PATH_BYTES) {
    throw refuse("bad_path", `is longer than ${MAX_ENTRY_PATH_BYTES} bytes`);
  }
  if (parts.some((part) => encoder.encode(part).byteLength > MAX_PATH_PART_BYTES)) {
    throw refuse("bad_path", `has a part of more than ${MAX_PATH_PART_BYTES} bytes`);
  }
  return path;
}

/** The entries of one package, each checked when it is added. */
export class EntryTable {
  readonly #entries = new Map<string, PackageEntry>();
  /** All paths, implied directories included, by their case-folded form. */
  readonly #paths = new Map<string, { path: string; directory: boolean }>();
  #bytes = 0;
  #linkSteps = 0;

  /** Entries in the order in which they were added. */
  get entries(): PackageEntry[] {
    return [...this.#entries.values()];
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The entry at `path`. */
  get(path: string): PackageEntry | undefined {
    return this.#entries.get(path);
  }

  /** Adds an entry whose path came from {@linkcode entryPath}. */
  add(entry: PackageEntry): void {
    const { path } = entry;
    if ((entry.mode & 0o7000) !== 0) {
      const bits = (entry.mode & 0o7777).toString(8);
      throw invalid(
        "setuid",
        `${shown(path)} has mode ${bits}: setuid, setgid, sticky are refused`,
        {
          path,
        },
      );
    }
    if (this.#entries.has(path)) {
      throw invalid("duplicate_entry", `${shown(path)} exists twice`, { path });
    }
    for (let dir = dirname(path); dir !== ""; dir = dirname(dir)) {
      if (!this.#claim(dir, true)) break;
    }
    this.#claim(path, entry.type === "directory");
    if (entry.type === "symlink") this.#checkTarget(entry);
    this.#bytes += entry.size;
    if (this.#bytes > MAX_UNPACKED_BYTES) {
      throw invalid("too_large", `it unpacks to more than ${MAX_UNPACKED_BYTES} bytes`);
    }
    this.#entries.set(path, entry);
  }

  /** The regular file at `path`, following links; `undefined` when there is none. */
  resolve(path: string): PackageEntry | undefined {
    const direct = this.#entries.get(path);
    if (direct?.type === "file") return direct;
    const real = this.#follow(path);
    const entry = real === null ? undefined : this.#entries.get(real);
    return entry?.type === "file" ? entry : undefined;
  }

  /** Checks what is known only at the end: links that leave the package through other links. */
  finish(): void {
    for (const entry of this.#entries.values()) {
      if (entry.type === "symlink") this.#follow(entry.path);
    }
  }

  /**
   * Claims a path for one kind of entry, in one spelling.
   *
   * @returns Whether it is new; if not, the directories above it are known as well.
   */
  #claim(path: string, directory: boolean): boolean {
    const key = path.normalize("NFC").toLowerCase();
    const taken = this.#paths.get(key);
    if (taken === undefined) {
      if (this.#paths.size >= MAX_PACKAGE_ENTRIES) throw tooMany();
      this.#paths.set(key, { path, directory });
      return true;
    }
    if (taken.path !== path) {
      throw invalid(
        "case_collision",
        `${shown(path)} and ${shown(taken.path)} are the same name where case is ignored`,
        { path },
      );
    }
    if (!taken.directory || !directory) {
      throw invalid(
        "not_a_directory",
        `${shown(path)} is used as a directory and is a file or a link`,
        { path },
      );
    }
    return false;
  }

  #checkTarget(entry: PackageEntry): void {
    const target = entry.target ?? "";
    const bytes = encoder.encode(target).byteLength;
    if (target === "" || bytes > MAX_ENTRY_PATH_BYTES || /[\p{Cc}\\]/u.test(target)) {
      throw invalid("bad_path", `${shown(entry.path)} links to ${shown(target)}`, {
        path: entry.path,
      });
    }
    if (target.startsWith("/") || /^[A-Za-z]:/.test(target)) throw escapes(entry.path, target);
    if (join(dirname(entry.path), target) === null) throw escapes(entry.path, target);
  }

  /** Resolves all links in `path`; `null` when the result is not in the package. */
  #follow(path: string): string | null {
    let hops = 0;
    const done: string[] = [];
    const todo = path.split("/").reverse();
    for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
      if (++this.#linkSteps > MAX_LINK_STEPS) {
        throw invalid("too_many_entries", "it has too many links of too many parts");
      }
      if (part === "" || part === ".") continue;
      if (part === "..") {
        if (done.pop() === undefined) throw escapes(path, this.#entries.get(path)?.target ?? path);
        continue;
      }
      done.push(part);
      const entry = this.#entries.get(done.join("/"));
      if (entry?.type !== "symlink") continue;
      if (++hops > MAX_LINK_HOPS) {
        throw invalid("link_escapes", `${shown(path)} is a link in a loop`, { path });
      }
      done.pop();
      todo.push(...(entry.target ?? "").split("/").reverse());
    }
    const end = done.join("/");
    return this.#entries.has(end) ? end : null;
  }
}

function tooMany(): Error {
  return invalid("too_many_entries", `it has more than ${MAX_PACKAGE_ENTRIES} entries`);
}

function escapes(path: string, target: string): Error {
  return invalid(
    "link_escapes",
    `${shown(path)} links to ${
      shown(target)
    }, outside of the package: links must be relative and stay inside`,
    { path },
  );
}

function dirname(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? "" : path.slice(0, slash);
}

/** `target` relative to the directory `base`, or `null` when it leads above the root. */
function join(base: string, target: string): string | null {
  const parts: string[] = base === "" ? [] : base.split("/");
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.join("/");
}
