/**
 * Limits the disk space of uploads: a quota for the packages directory, and free space that the registry's own
 * state needs.
 *
 * @module
 */
import { readdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { HarnessError } from "../../errors.ts";
import { MIN_FREE_BYTES, MIN_FREE_SHARE, SPACE_CHECK_BYTES } from "../limits.ts";

/** The quota of one packages directory. */
export class PackageSpace {
  readonly #dir: string;
  readonly #maxBytes: number;
  /** Bytes of the existing files, without our unfinished uploads. */
  #stored = 0;
  /** Bytes written by unfinished uploads. */
  #unfinished = 0;

  /** Reads nothing yet. */
  constructor(dir: string, maxBytes: number) {
    this.#dir = dir;
    this.#maxBytes = maxBytes;
  }

  /**
   * Begins an upload of `announced` bytes, 0 when that is not known.
   *
   * @param isPart Whether a file is an unfinished upload.
   * @throws {HarnessError} `storage_unavailable` when it has no room.
   */
  async begin(announced: number, isPart: (name: string) => boolean): Promise<UploadSpace> {
    let stored = 0;
    for (const name of await readdir(this.#dir)) {
      if (!isPart(name)) stored += (await stat(join(this.#dir, name)).catch(() => null))?.size ?? 0;
    }
    this.#stored = stored;
    this.#requireQuota(announced);
    await this.#requireFree(announced);
    return this.#upload();
  }

  #upload(): UploadSpace {
    let written = 0;
    let unchecked = 0;
    return {
      add: async (bytes) => {
        this.#requireQuota(bytes);
        written += bytes;
        unchecked += bytes;
        this.#unfinished += bytes;
        if (unchecked < SPACE_CHECK_BYTES) return;
        unchecked = 0;
        await this.#requireFree(0);
      },
      end: (stored) => {
        this.#unfinished -= written;
        if (stored) this.#stored += written;
      },
    };
  }

  #requireQuota(bytes: number): void {
    if (this.#stored + this.#unfinished + bytes <= this.#maxBytes) return;
    throw new HarnessError(
      "storage_unavailable",
      `Cannot store the package: the packages would exceed ${this.#maxBytes} bytes; remove old ones, or raise --max-packages-bytes`,
      { details: { reason: "quota", max_bytes: this.#maxBytes } },
    );
  }

  async #requireFree(bytes: number): Promise<void> {
    const disk = await statfs(this.#dir).catch(() => null);
    if (disk === null) return; // statfs is not available here: a full disk fails the write
    const free = disk.bavail * disk.bsize - bytes;
    if (free >= Math.min(MIN_FREE_BYTES, disk.blocks * disk.bsize / MIN_FREE_SHARE)) return;
    throw new HarnessError(
      "storage_unavailable",
      "Cannot store the package: the disk would be nearly full; free some space",
      { details: { reason: "disk_space" } },
    );
  }
}

/** The space of one upload. */
export interface UploadSpace {
  /**
   * Counts bytes about to be written.
   *
   * @throws {HarnessError} `storage_unavailable` when there is no room for it.
   */
  add(bytes: number): Promise<void>;
  /** Ends the upload, after its file was renamed or removed. */
  end(stored: boolean): void;
}
