/**
 * Small durable JSON documents beside the registry: deployment records, service specifications.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { getLogger } from "@logtape/logtape";
import { HarnessError, messageOf } from "../errors.ts";
import { MAX_DOCUMENT_BYTES } from "./limits.ts";
import { KeyedMutex } from "../util/keyed_mutex.ts";
import { type Disk, isCode, localDisk, replaceFile } from "./disk.ts";
import { Sealer, sealProblem } from "./checksummed_file.ts";

/** Options for {@linkcode Documents}. */
export interface DocumentsOptions {
  /** State dir; made if it is not there. */
  dir: string;
  /** The files. @default {those of this machine} */
  disk?: Disk | undefined;
}

const COLLECTION_RULE = /^[a-z][a-z0-9_-]{0,63}$/;
const ID_RULE = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,199}$/;

/**
 * JSON documents in `<dir>/<collection>/<id>.json`, each replaced whole and atomically, mode 0600, with a
 * checksum. A document that is damaged is set aside as `<id>.json.corrupt-<time>` and counts as missing.
 *
 * The owner of the state dir (see `FileStore`) is the only writer.
 */
export class Documents {
  readonly #dir: string;
  readonly #disk: Disk;
  readonly #locks = new KeyedMutex();
  readonly #log = getLogger(["harness", "storage"]);

  /** Documents under `options.dir`. */
  constructor(options: DocumentsOptions) {
    this.#dir = options.dir;
    this.#disk = options.disk ?? localDisk();
  }

  /**
   * Writes a document; when this resolves it is on the medium.
   *
   * @throws {HarnessError} `invalid_params` for a bad name, `too_large`, `storage_unavailable`.
   */
  async put(collection: string, id: string, value: unknown): Promise<void> {
    const { dir, name } = this.#place(collection, id);
    const chunks = seal(value);
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (bytes > MAX_DOCUMENT_BYTES) {
      throw new HarnessError(
        "too_large",
        `Cannot write ${collection}/${id}: it has ${bytes} bytes, allowed are ${MAX_DOCUMENT_BYTES}`,
      );
    }
    await this.#exclusive(`${dir}/${name}`, `write ${collection}/${id}`, async () => {
      await this.#disk.makeDir(dir);
      await replaceFile(this.#disk, { dir, name }, chunks);
    });
  }

  /**
   * A document, or `null` when there is none. The caller says of which type it is, and wrote it.
   *
   * @throws {HarnessError} `invalid_params` for a bad name, `storage_unavailable`.
   */
  async get<T>(collection: string, id: string): Promise<T | null> {
    const { dir, name } = this.#place(collection, id);
    const path = `${dir}/${name}`;
    return await this.#exclusive(path, `read ${collection}/${id}`, async () => {
      const bytes = await this.#disk.read(path);
      if (bytes === null) return null;
      const problem = sealProblem(bytes);
      if (problem === null) return unseal<T>(bytes);
      const aside = `${name}.corrupt-${new Date().toISOString().replaceAll(":", "-")}`;
      await this.#disk.rename(path, `${dir}/${aside}`);
      const context = { path, problem, aside };
      this.#log.error("{path} is damaged ({problem}); it was set aside as {aside}", context);
      return null;
    });
  }

  /** The ids of a collection, sorted; empty when there is no such collection. */
  async list(collection: string): Promise<string[]> {
    const { dir } = this.#place(collection, "x");
    try {
      const names = await this.#disk.list(dir);
      return names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5)).sort();
    } catch (error) {
      if (isCode(error, "ENOENT")) return [];
      throw failed(`list ${collection}`, error);
    }
  }

  /** Removes a document. One that is not there is fine. */
  async remove(collection: string, id: string): Promise<void> {
    const { dir, name } = this.#place(collection, id);
    await this.#exclusive(`${dir}/${name}`, `remove ${collection}/${id}`, async () => {
      await this.#disk.remove(`${dir}/${name}`);
      await this.#disk.syncDir(dir).catch((error) => {
        // No directory: there never was a document in it.
        if (!isCode(error, "ENOENT")) throw error;
      });
    });
  }

  #place(collection: string, id: string): { dir: string; name: string } {
    if (!COLLECTION_RULE.test(collection)) throw badName(collection, COLLECTION_RULE);
    if (!ID_RULE.test(id)) throw badName(id, ID_RULE);
    return { dir: `${this.#dir}/${collection}`, name: `${id}.json` };
  }

  /** One task at a time for a file: two writers would share its temp file. */
  async #exclusive<T>(path: string, doing: string, task: () => Promise<T>): Promise<T> {
    try {
      return await this.#locks.run(path, task);
    } catch (error) {
      throw failed(doing, error);
    }
  }
}

function seal(value: unknown): Buffer[] {
  const text = JSON.stringify(value, null, 2);
  if (text === undefined) throw new TypeError("a document must be a JSON value");
  const sealer = new Sealer("{\n");
  sealer.add(`  "value": ${text.replaceAll("\n", "\n  ")}\n}\n`);
  return sealer.finish();
}

function unseal<T>(bytes: Uint8Array): T {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  return (JSON.parse(text) as { value: T }).value;
}

function badName(name: string, rule: RegExp): HarnessError {
  return new HarnessError("invalid_params", `Cannot name a document "${name}": must match ${rule}`);
}

function failed(doing: string, cause: unknown): HarnessError {
  if (cause instanceof HarnessError) return cause;
  return new HarnessError("storage_unavailable", `Cannot ${doing}: ${messageOf(cause)}`, { cause });
}
