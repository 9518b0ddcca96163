/** Source trees and commands for the tests of packages. */
import { dirname, join } from "node:path";
import { MANIFEST, START } from "./tar_writer.ts";

/** Makes a temporary directory, hands it over, and removes it. */
export async function withTempDir(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "harness-package-" });
  try {
    await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Writes files below `dir`; a sound package's tree unless `files` says otherwise (`null`: not there). */
export async function writeTree(
  dir: string,
  files: Record<string, string | Uint8Array | null> = {},
): Promise<string> {
  const all = { "manifest.yaml": MANIFEST, "scripts/start.sh": START, ...files };
  for (const [path, body] of Object.entries(all)) {
    if (body === null) continue;
    await Deno.mkdir(dirname(join(dir, path)), { recursive: true });
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    await Deno.writeFile(join(dir, path), bytes);
  }
  return dir;
}

/** Runs a program that must succeed; gives its stdout. */
export async function run(command: string, ...args: string[]): Promise<string> {
  const done = await new Deno.Command(command, {
    args,
    stdin: "null",
    env: { LC_ALL: "C", TZ: "UTC" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!done.success) throw new Error(`${command} ${args.join(" ")}: ${text(done.stderr)}`);
  return text(done.stdout);
}

/** Bytes of each kind for a compressor: text, zeros and noise, the same each time. */
export function mixedBytes(length = 20_000_000): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let at = 0; at < length; at++) {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    const kind = Math.floor(at / 50_000) % 3;
    bytes[at] = kind === 0 ? 97 + (state >>> 16) % 4 : kind === 1 ? 0 : state >>> 20;
  }
  return bytes;
}
