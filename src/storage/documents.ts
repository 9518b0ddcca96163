/**
 * Small durable JSON documents beside the registry: deployment records, service specifications.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { getLogger } from "../util/log.ts";
import { HarnessError, messageOf } from "../errors.ts";
import { MAX_DOCUMENT_BYTES } from "./limits.ts";
import { KeyedMutex } from "../util/keyed_mutex.ts";
import { type Disk, localDisk, replaceFile } from "./disk.ts";
import { Checksum, checksumProblem } from "./checksummed_file.ts";
import { sha256 } from "../util/node/digest.ts";
import { hasErrorCode } from "../util/node/files.ts";

/** Options for {@linkcode Documents}. */
export interface DocumentsOptions {
  /** State dir; made if it is not there. */
  dir: string;
  /** The files. @default {those of this machine} */
  disk?: Disk | undefined;
}

const SUFFIX = ".json";
const COLLECTION_RULE = /^[a-z][a-z0-9_-]{0,63}$/;
/** Longest id in a file name; a longer one is replaced by its hash. */
const MAX_FILE_ID_LENGTH = 180;

/** A document with the id in its file name. */
export interface StoredDocument {
  /** The id; where a file name cannot hold it, its encoded form. */
  id: string;
  /** The value that was put. */
  value: unknown;
}

/**
 * JSON documents in `<dir>/<collection>/<id>.json`, each replaced whole and atomically, mode 0600, with a
 * checksum. A damaged document is renamed to `<id>.json.corrupt-<time>` and counts as missing.
 *
 * The owner of the state dir (see `FileStore`) is the only writer.
 */
export class Documents {
  readonly #dir: string;
  readonly #disk: Disk;
  readonly #locks = new KeyedMutex();
  readonly #log = getLogger(["harness", "storage"]);
  /** Whether the state dir was there: once it is gone, it is not made again for a single document. */
  #wasThere = false;

  /** Documents under `options.dir`. */
  constructor(options: DocumentsOptions) {
    this.#dir = options.dir;
    this.#disk = options.disk ?? localDisk();
  }

  /**
   * Writes a document whole; resolves once it is durable.
   *
   * @throws {HarnessError} `invalid_params` for a bad collection name, `too_large`, `storage_unavailable`.
   */
  async put(collection: string, id: string, value: unknown): Promise<void> {
    const { dir, name } = this.#place(collection, id);
    const chunks = encode(value);
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (bytes > MAX_DOCUMENT_BYTES) {
      throw new HarnessError(
        "too_large",
        `Cannot write ${collection}/${id}: it has ${bytes} bytes, allowed are ${MAX_DOCUMENT_BYTES}`,
      );
    }
    await this.#exclusive(`${dir}/${name}`, `write ${collection}/${id}`, async () => {
      if (this.#wasThere) await this.#disk.list(this.#dir);
      await this.#disk.makeDir(dir);
      this.#wasThere = true;
      await replaceFile(this.#disk, { dir, name }, chunks);
    });
  }

  /**
   * All intact documents of a collection, sorted by file name; empty when there is no such collection.
   *
   * @throws {HarnessError} `invalid_params` for a bad collection name, `storage_unavailable`.
   */
  async list(collection: string): Promise<StoredDocument[]> {
    const dir = this.#dirOf(collection);
    this.#wasThere ||= await this.#disk.list(this.#dir).then(() => true, () => false);
    const found: StoredDocument[] = [];
    for (const name of await this.#names(dir, collection)) {
      const value = await this.#read(dir, name);
      if (value !== null) found.push({ id: name.slice(0, -SUFFIX.length), value });
    }
    return found;
  }

  /** Removes a document; fine when there is none. */
  async remove(collection: string, id: string): Promise<void> {
    const { dir, name } = this.#place(collection, id);
    await this.#exclusive(`${dir}/${name}`, `remove ${collection}/${id}`, async () => {
      await this.#disk.remove(`${dir}/${name}`);
      await this.#disk.syncDir(dir).catch((error) => {
        // No directory: there never was a document in it.
        if (!hasErrorCode(error, "ENOENT")) throw error;
      });
    });
  }

  async #names(dir: string, collection: string): Promise<string[]> {
    try {
      return (await this.#disk.list(dir)).filter((name) => name.endsWith(SUFFIX)).sort();
    } catch (error) {
      if (hasErrorCode(error, "ENOENT")) return [];
      throw failed(`list ${collection}`, error);
    }
  }

  /** The value of one file, or `null` where it is missing or damaged. */
  async #read(dir: string, name: string): Promise<unknown> {
    const path = `${dir}/${name}`;
    return await this.#exclusive(path, `read ${path}`, async () => {
      const bytes = await this.#disk.read(path);
      if (bytes === null) return null;
      const problem = checksumProblem(bytes);
      if (problem === null) return decode(bytes);
      const aside = `${name}.corrupt-${new Date().toISOString().replaceAll(":", "-")}`;
      await this.#disk.rename(path, `${dir}/${aside}`);
      const context = { path, problem, aside };
      this.#log.error("{path} is damaged ({problem}); it was renamed to {aside}", context);
      return null;
    });
  }

  #place(collection: string, id: string): { dir: string; name: string } {
    return { dir: this.#dirOf(collection), name: `${fileId(id)}${SUFFIX}` };
  }

  #dirOf(collection: string): string {
    if (COLLECTION_RULE.test(collection)) return `${this.#dir}/${collection}`;
    throw new HarnessError(
      "invalid_params",
      `Cannot name a collection "${collection}": must match ${COLLECTION_RULE}`,
    );
  }

  /** One task at a time per file: two writers would share its temp file. */
  async #exclusive<T>(path: string, doing: string, task: () => Promise<T>): Promise<T> {
    try {
      return await this.#locks.run(path, task);
    } catch (error) {
      throw failed(doing, error);
    }
  }
}

function encode(value: unknown): Buffer[] {
  const text = JSON.stringify(value, null, 2);
  if (text === undefined) throw new TypeError("a document must be a JSON value");
  const rest = `  "value": ${text.replaceAll("\n", "\n  ")}\n}\n`;
  return [Buffer.from(`{\n${new Checksum("{\n").add(rest).line()}${rest}`)];
}

function decode(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  return (JSON.parse(text) as { value: unknown }).value;
}

/** A distinct name for every id that every file system accepts: `web@[::1]:22` has brackets and colons. */
function fileId(id: string): string {
  const encoded = id.replace(
    /[^A-Za-z0-9.@-]/gu,
    (char) => `_${char.codePointAt(0)?.toString(16)}_`,
  );
  if (encoded.length <= MAX_FILE_ID_LENGTH && /^[A-Za-z0-9]/.test(encoded)) return encoded;
  return `h-${sha256(id)}`;
}

function failed(doing: string, cause: unknown): HarnessError {
  if (cause instanceof HarnessError) return cause;
  return new HarnessError("storage_unavailable", `Cannot ${doing}: ${messageOf(cause)}`, { cause });
}
