/**
 * The file of named tokens: a YAML list with a hash for each token, so that the file holds no secret.
 *
 * @module
 */
import { open, stat } from "node:fs/promises";
import { HarnessError } from "../../errors.ts";
import type { YamlSource } from "../../package/manifest/yaml_source.ts";
import type { FileIssue } from "../../util/file_issues.ts";
import type { TokenRights } from "../../server/access/rights.ts";
import type { NamedToken } from "../../server/access/tokens.ts";
import { MAX_NAMED_TOKENS, MAX_TOKENS_FILE_BYTES } from "../limits.ts";
import type { NamedFile } from "../flags/flags.ts";
import { exposure, textOf } from "./private_file.ts";
import { named, unreadable } from "../flags/secrets.ts";
import { ownUid } from "../../util/node/runtime.ts";
import { type TextFile, unknownKey, unusable } from "../flags/text_file.ts";

/** Names that records give to others than named tokens. */
const RESERVED = ["anonymous", "token", "read-token", "server", "embedder"];
const KEYS = ["name", "hash", "rights", "services", "expires"];
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const SERVICE = /^[A-Za-z0-9*?][A-Za-z0-9._*?-]{0,127}$/;
const TIME =
  /^(\d{4}-\d\d-\d\d)(?:T(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/;

/**
 * The tokens of a file.
 *
 * @throws {HarnessError} `not_found` or `forbidden` when it cannot be read or others could have read or
 * changed it, `invalid_params` with all that is wrong in it, by line.
 */
export async function readTokensFile(file: NamedFile): Promise<NamedToken[]> {
  const text = await privateText(file);
  const { parseYamlFile } = await import("../flags/yaml_file.ts");
  const textFile: TextFile = { place: file.place, path: file.path, reason: "tokens_file" };
  return tokensOf(parseYamlFile(text, textFile), textFile);
}

/** The tokens in the YAML of a file. See {@linkcode readTokensFile}. */
function tokensOf(source: YamlSource, file: TextFile): NamedToken[] {
  const issues: FileIssue[] = [];
  const found: NamedToken[] = [];
  const seen = new Map<string, number>();
  if (source.data !== null && !Array.isArray(source.data)) {
    throw unusable(file, [{ path: "", line: 1, column: 1, message: "must be a list of tokens" }]);
  }
  const items: unknown[] = source.data ?? [];
  for (const [index, item] of items.slice(0, MAX_NAMED_TOKENS).entries()) {
    const reader = new ItemReader(source, index, item);
    const token = reader.read();
    issues.push(...reader.issues);
    const { line } = source.at([index]);
    for (const [what, value] of [["name", token.name], ["hash", token.sha256]] as const) {
      if (value === undefined) continue;
      const earlier = seen.get(`${what} ${value}`);
      if (earlier === undefined) seen.set(`${what} ${value}`, line);
      else {
        const message = `${what} as in line ${earlier}`;
        issues.push({ ...source.at([index, what]), path: `${index}.${what}`, message });
      }
    }
    found.push(token as NamedToken);
  }
  if (items.length > MAX_NAMED_TOKENS) {
    const message = `at most ${MAX_NAMED_TOKENS} tokens, there are ${items.length}`;
    issues.push({ ...source.at([MAX_NAMED_TOKENS]), path: "", message });
  }
  if (issues.length > 0) throw unusable(file, issues);
  return found;
}

/** A time of the file in milliseconds since 1970, or `null` for none. */
export function parseTime(text: string): number | null {
  const date = TIME.exec(text)?.[1];
  if (date === undefined) return null;
  // 30 February would be the 2nd of March.
  const day = new Date(`${date}T00:00:00Z`);
  if (Number.isNaN(day.getTime()) || !day.toISOString().startsWith(date)) return null;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : time;
}

/** What is wrong with the name of a token, or `null`. */
export function nameProblem(name: string): string | null {
  if (!NAME.test(name)) return "must be up to 64 letters, digits and . _ -, the first no mark";
  return RESERVED.includes(name) ? "is a name of the server's own" : null;
}

/** What is wrong with a service name or glob, or `null`. */
export function serviceProblem(text: string): string | null {
  return SERVICE.test(text) ? null : "must be a service name, in which * and ? are wildcards";
}

/** Reads one token of the list, and everything that is wrong with it. */
class ItemReader {
  readonly issues: FileIssue[] = [];
  readonly #source: YamlSource;
  readonly #index: number;
  readonly #item: unknown;

  constructor(source: YamlSource, index: number, item: unknown) {
    this.#source = source;
    this.#index = index;
    this.#item = item;
  }

  read(): Partial<NamedToken> {
    const item = this.#item;
    if (typeof item !== "object" || item === null || Array.isArray(item)) {
      this.#problem([], "must be a token: a map with name, hash and rights");
      return {};
    }
    for (const key of Object.keys(item).filter((key) => !KEYS.includes(key))) {
      const message = unknownKey(key, KEYS);
      const at = this.#source.atKey([this.#index], key);
      this.issues.push({ ...at, path: `${this.#index}.${key}`, message });
    }
    const given = item as Record<string, unknown>;
    const token = {
      name: this.#name(given["name"]),
      sha256: this.#hash(given["hash"]),
      rights: this.#rights(given["rights"]),
      services: this.#services(given["services"]),
      expiresAt: this.#expires(given["expires"]),
    };
    const isGiven = ([, value]: [string, unknown]) => value !== undefined;
    return Object.fromEntries(Object.entries(token).filter(isGiven)) as Partial<NamedToken>;
  }

  #name(value: unknown): string | undefined {
    if (value === undefined) return this.#problem([], "name is missing");
    const problem = typeof value === "string" ? nameProblem(value) : "must be a text";
    return problem === null ? value as string : this.#problem(["name"], `name ${problem}`);
  }

  #hash(value: unknown): string | undefined {
    if (value === undefined) return this.#problem([], "hash is missing");
    const hex = typeof value === "string" ? /^sha256:([0-9a-fA-F]{64})$/.exec(value)?.[1] : null;
    if (hex) return hex.toLowerCase();
    // The value is not shown: it may be the token itself.
    return this.#problem(["hash"], 'hash must be "sha256:" and 64 hex digits, see "token new"');
  }

  #rights(value: unknown): TokenRights | undefined {
    if (value === undefined) return this.#problem([], "rights is missing");
    if (value === "full" || value === "read") return value;
    return this.#problem(["rights"], "rights must be full or read");
  }

  #services(value: unknown): string[] | undefined {
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.length === 0) {
      return this.#problem(["services"], "services must be a list of names and globs, or left out");
    }
    for (const [at, one] of value.entries()) {
      const problem = typeof one === "string" ? serviceProblem(one) : "must be a text";
      if (problem !== null) this.#problem(["services", at], `a service ${problem}`);
    }
    return value as string[];
  }

  #expires(value: unknown): number | undefined {
    if (value === undefined) return undefined;
    const time = typeof value === "string" ? parseTime(value) : null;
    if (time !== null) return time;
    const message = "expires must be a date or a time with its zone, such as 2027-01-31 or " +
      "2027-01-31T12:00:00Z";
    return this.#problem(["expires"], message);
  }

  #problem(path: PropertyKey[], message: string): undefined {
    const whole = [this.#index, ...path];
    this.issues.push({ ...this.#source.at(whole), path: whole.map(String).join("."), message });
  }
}

/** The text of a file that only its owner can read: this user, or root. */
async function privateText(file: NamedFile): Promise<string> {
  const { path } = file;
  try {
    // Checked before it is opened: opening a FIFO would block.
    if (!(await stat(path)).isFile()) throw refused(file, "it is not a file");
    await using opened = await open(path, "r");
    const info = await opened.stat();
    const uid = ownUid();
    const problem = info.isFile() ? exposure(info, info.uid === 0 && uid !== null ? 0 : uid) : null;
    if (!info.isFile()) throw refused(file, "it is not a file");
    if (problem !== null) throw refused(file, `${problem}; make it its owner's alone (chmod 600)`);
    if (info.size > MAX_TOKENS_FILE_BYTES) {
      throw refused(file, `it has ${info.size} bytes, at most ${MAX_TOKENS_FILE_BYTES} are read`);
    }
    return await textOf(opened, MAX_TOKENS_FILE_BYTES);
  } catch (error) {
    if (error instanceof HarnessError) throw error;
    throw unreadable(file, error);
  }
}

function refused(file: NamedFile, why: string): HarnessError {
  return new HarnessError("forbidden", `Cannot use ${named(file)}: ${why}`);
}
