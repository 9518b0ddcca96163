/** Writes tar files byte by byte, the wrong ones included: every field can be set to anything. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";

const BLOCK = 512;

/** One entry; what is not given is as GNU tar would write it. */
export interface RawEntry {
  name: string | Uint8Array;
  body?: string | Uint8Array;
  flag?: string;
  mode?: number;
  link?: string | Uint8Array;
  /** Raw bytes of the size field. */
  size?: Uint8Array | number;
  prefix?: string;
  magic?: string;
  checksum?: number;
}

/** The blocks of one entry. */
export function entryBlocks(entry: RawEntry): Buffer {
  const body = Buffer.from(entry.body ?? "");
  const header = Buffer.alloc(BLOCK);
  Buffer.from(entry.name).copy(header, 0, 0, 100);
  octal(header, 100, 8, entry.mode ?? 0o644);
  octal(header, 108, 8, 0);
  octal(header, 116, 8, 0);
  if (entry.size instanceof Uint8Array) Buffer.from(entry.size).copy(header, 124, 0, 12);
  else octal(header, 124, 12, entry.size ?? body.length);
  octal(header, 136, 12, 0);
  header.write(entry.flag ?? "0", 156, "latin1");
  Buffer.from(entry.link ?? "").copy(header, 157, 0, 100);
  header.write(entry.magic ?? "ustar\x0000", 257, "latin1");
  header.write(entry.prefix ?? "", 345, "utf8");
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  octal(header, 148, 7, entry.checksum ?? sum);
  return Buffer.concat([header, pad(body)]);
}

/** A whole tar file. */
export function tar(entries: readonly RawEntry[], end: Uint8Array = Buffer.alloc(1024)): Buffer {
  return Buffer.concat([...entries.map(entryBlocks), end]);
}

/** A PAX header for the entry that follows it. */
export function pax(records: Record<string, string>, flag = "x"): RawEntry {
  const body = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    const bytes = Buffer.byteLength(rest);
    let length = bytes + String(bytes).length;
    if (bytes + String(length).length > length) length++;
    return `${length}${rest}`;
  }).join("");
  return { name: "PaxHeaders/x", flag, body };
}

/** GNU's header for a long name (`L`) or link target (`K`). */
export function gnuLong(flag: "L" | "K", text: string): RawEntry {
  return { name: "././@LongLink", flag, body: `${text}\0`, magic: "ustar  \0" };
}

export const MANIFEST = "name: hello\nversion: 1.0.0\nservice: {type: managed_process}\n";
export const START = "#!/bin/sh\nexec sleep 60\n";

/** `SHA256SUMS` for plain files. */
export function sums(files: Record<string, string | Uint8Array>): string {
  return Object.entries(files).map(([name, body]) =>
    `${createHash("sha256").update(body).digest("hex")}  ${name}\n`
  ).join("");
}

/** The entries of a sound package; `files` are added to it and to its checksums. */
export function soundEntries(files: Record<string, string> = {}): RawEntry[] {
  const all = { "manifest.yaml": MANIFEST, "scripts/start.sh": START, ...files };
  return [
    { name: "SHA256SUMS", body: sums(all) },
    ...Object.entries(all).map(([name, body]) => ({
      name,
      body,
      mode: name.endsWith(".sh") ? 0o755 : 0o644,
    })),
  ];
}

/** A sound package with `extra` entries at its end (or wherever `arrange` puts them), gzipped. */
export function packageWith(
  extra: readonly RawEntry[],
  files: Record<string, string> = {},
): Buffer {
  return gzipSync(tar([...soundEntries(files), ...extra]));
}

function octal(buffer: Buffer, offset: number, length: number, value: number): void {
  buffer.write(`${value.toString(8).padStart(length - 1, "0")}\0`, offset, length, "latin1");
}

function pad(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)]);
}
