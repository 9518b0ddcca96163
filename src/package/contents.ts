/**
 * The files that a package must contain, and the form of its scripts.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import { MAX_SCRIPT_BYTES } from "./limits.ts";
import type { EntryTable } from "./archive/entry_table.ts";
import { invalid, shown } from "./errors.ts";
import type { Manifest } from "./manifest/manifest.ts";

/** The manifest's path. */
export const MANIFEST_PATH = "manifest.yaml";
/** The checksums' path. */
export const SUMS_PATH = "SHA256SUMS";
/** The script that starts the service. */
const START_SCRIPT = "scripts/start.sh";
/** The image of a `docker_container` that names none. */
const IMAGE = "image.tar";

/** Decodes a manifest. */
export function decodeManifest(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new HarnessError(
      "package_invalid",
      `Cannot read the manifest: ${MANIFEST_PATH}:1:1: it is not UTF-8 text`,
      { cause, details: { reason: "manifest" } },
    );
  }
}

/** Checks the shebang and the line ends of a script while its bytes are streamed. */
export class ScriptCheck {
  #start: number[] = [];
  #last = 0;
  #line = 1;
  #carriageReturnLine: number | null = null;
  #left = MAX_SCRIPT_BYTES;

  /** Adds the next bytes. */
  push(chunk: Uint8Array): void {
    for (let i = 0; this.#start.length < 3 && i < chunk.length; i++) {
      this.#start.push(chunk[i] ?? 0);
    }
    const length = Math.min(this.#left, chunk.length);
    this.#left -= length;
    for (let i = 0; this.#carriageReturnLine === null && i < length; i++) {
      const byte = chunk[i] ?? 0;
      if (byte === 0x0a) {
        if (this.#last === 0x0d) this.#carriageReturnLine = this.#line;
        this.#line++;
      }
      this.#last = byte;
    }
  }

  /**
   * Ends the check of the script at `path`.
   *
   * @param mustStart Whether it is executed and so needs a `#!` line.
   * @throws {HarnessError} `package_invalid`.
   */
  finish(path: string, mustStart: boolean): void {
    if (this.#carriageReturnLine !== null) {
      throw invalid(
        "script_line_ends",
        `${shown(path)} has Windows line ends (CRLF) in line ${this.#carriageReturnLine}: ` +
          `the host would not find its interpreter; save it with LF`,
        { path },
      );
    }
    const [first, second, third] = this.#start;
    if (!mustStart || (first === 0x23 && second === 0x21)) return;
    const bom = first === 0xef && second === 0xbb && third === 0xbf;
    throw invalid(
      "script_shebang",
      `${shown(path)} must begin with a line such as #!/bin/sh` +
        (bom ? "; it begins with a byte order mark: save it without" : ""),
      { path },
    );
  }
}

/** Whether the file at `path` is checked as a script. */
export function isScript(path: string): boolean {
  return path.startsWith("scripts/") && path.endsWith(".sh");
}

/** Whether the script at `path` is executed, not sourced by another one. */
export function isProgram(path: string): boolean {
  return /^scripts\/(?:start|stop|reload|health)\.sh$/.test(path);
}

/** Checks that all files required by the format and the manifest exist. */
export function checkContents(table: EntryTable, manifest: Manifest): void {
  const missing: Array<{ path: string; message: string }> = [];
  const need = (path: string, why: string) => {
    if (table.resolve(path) !== undefined) return;
    missing.push({ path, message: `${path} is missing: ${why}` });
  };
  need(START_SCRIPT, "every package must have it");
  if (manifest.health?.probe.type === "script") {
    need(manifest.health.probe.script, "health.script of the manifest names it");
  }
  const { type, image } = manifest.service;
  if (type === "docker_container" && image === null && table.resolve(IMAGE) === undefined) {
    missing.push({
      path: IMAGE,
      message:
        "a docker_container needs service.image in the manifest, or image.tar in the package",
    });
  }
  const [first] = missing;
  if (first === undefined) return;
  const reason = first.path === IMAGE ? "file_missing" : "script_missing";
  const text = missing.map(({ message }) => message).join("; ");
  throw invalid(reason, text, { path: first.path, issues: missing });
}
