/**
 * The known_hosts format: which key a host is known by. Pure; known_hosts_file.ts reads and writes the files.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";
import { matchesPatternList } from "../../util/glob.ts";

/** One line of a known_hosts file. */
export interface KnownHost {
  /** The file it is in. */
  file: string;
  /** Its line, counted from 1. */
  line: number;
  /** `@revoked`, `@cert-authority`, or nothing. */
  marker: "revoked" | "cert-authority" | null;
  /** Host patterns, or the one hashed name. */
  hosts: { patterns: readonly string[] } | { salt: Buffer; hash: Buffer };
  /** Key type as in the file, such as `ssh-ed25519`. */
  type: string;
  /** The public key. */
  key: Buffer;
}

/** The content of known_hosts files. */
export interface KnownHosts {
  /** All valid lines. */
  entries: KnownHost[];
  /** Invalid lines, such as `~/.ssh/known_hosts:7`. */
  unreadable: string[];
}

/** The verdict on one key of one host. */
export type HostKeyVerdict =
  | { status: "known"; entry: KnownHost }
  | { status: "unknown" }
  | { status: "changed"; entry: KnownHost }
  | { status: "revoked"; entry: KnownHost };

/** The name under which a host is looked up and stored: `host`, or `[host]:port` off the usual port. */
export function knownHostName(host: string, port: number): string {
  const lower = host.toLowerCase();
  return port === 22 ? lower : `[${lower}]:${port}`;
}

/** The fingerprint that `ssh-keygen -l` prints. */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/(?<!=)=+$/, "")}`;
}

/** The type inside a public key, such as `ssh-ed25519`. */
export function keyTypeOf(key: Uint8Array): string {
  const bytes = Buffer.from(key);
  if (bytes.length < 4) return "unknown";
  return bytes.subarray(4, 4 + bytes.readUInt32BE(0)).toString("latin1");
}

function parseHosts(field: string): KnownHost["hosts"] | null {
  if (!field.startsWith("|")) return { patterns: field.split(",").filter((p) => p !== "") };
  const [, version, salt, hash, ...more] = field.split("|");
  if (version !== "1" || !salt || !hash || more.length > 0) return null;
  const hashed = { salt: Buffer.from(salt, "base64"), hash: Buffer.from(hash, "base64") };
  return hashed.hash.length === 20 ? hashed : null;
}

function parseLine(text: string, file: string, line: number): KnownHost | null {
  const words = text.trim().split(/[ \t]+/);
  let marker: KnownHost["marker"] = null;
  if (words[0]?.startsWith("@")) {
    const word = words.shift();
    if (word !== "@revoked" && word !== "@cert-authority") return null;
    marker = word === "@revoked" ? "revoked" : "cert-authority";
  }
  const [hostField, type, base64] = words;
  if (hostField === undefined || type === undefined || base64 === undefined) return null;
  const hosts = parseHosts(hostField);
  const key = Buffer.from(base64, "base64");
  if (hosts === null || keyTypeOf(key) !== type) return null;
  return { file, line, marker, hosts, type, key };
}

/**
 * Parses a known_hosts file. Invalid lines are reported, not refused: OpenSSH skips them too.
 */
export function parseKnownHosts(text: string, file: string): KnownHosts {
  const found: KnownHosts = { entries: [], unreadable: [] };
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const entry = parseLine(line, file, index + 1);
    if (entry === null) found.unreadable.push(`${file}:${index + 1}`);
    else found.entries.push(entry);
  }
  return found;
}

function matchesHost(entry: KnownHost, name: string): boolean {
  if ("patterns" in entry.hosts) return matchesPatternList(name, entry.hosts.patterns);
  return createHmac("sha1", entry.hosts.salt).update(name).digest().equals(entry.hosts.hash);
}

/**
 * Checks `key` of the host stored as `name`.
 *
 * A host known by a key of another type counts as changed: otherwise an impostor could simply offer a type that was never
 * recorded.
 */
export function checkHostKey(
  entries: readonly KnownHost[],
  name: string,
  key: Uint8Array,
): HostKeyVerdict {
  const own = entries.filter((entry) =>
    entry.marker !== "cert-authority" && matchesHost(entry, name)
  );
  const same = own.filter((entry) => entry.key.equals(key));
  const revoked = same.find((entry) => entry.marker === "revoked");
  if (revoked !== undefined) return { status: "revoked", entry: revoked };
  const known = same[0];
  if (known !== undefined) return { status: "known", entry: known };
  const others = own.filter((entry) => entry.marker === null);
  const type = keyTypeOf(key);
  const changed = others.find((entry) => entry.type === type) ?? others[0];
  return changed === undefined ? { status: "unknown" } : { status: "changed", entry: changed };
}

/** Key types by which the host stored as `name` is known, in the order of the files. */
export function knownKeyTypes(entries: readonly KnownHost[], name: string): string[] {
  const own = entries.filter((entry) => entry.marker === null && matchesHost(entry, name));
  return [...new Set(own.map((entry) => entry.type))];
}
