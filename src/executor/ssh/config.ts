/**
 * ssh_config: the settings for one host. `npm:ssh-config` parses the syntax; which lines apply is decided here, since its
 * own evaluation runs commands (`Match exec`, name look-ups).
 *
 * Not supported, because they need a command or another protocol step: `Match exec`, `final` and `canonical` (never match)
 * and `CanonicalizeHostname`.
 *
 * @module
 */
import * as fs from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";
import SSHConfig from "ssh-config";
import { HarnessError, messageOf } from "../../errors.ts";
import { SSH_MAX_INCLUDE_DEPTH, SSH_MAX_INCLUDED_FILES } from "../limits.ts";
import { readIfPresent } from "./known_hosts_file.ts";
import { globMatcher, matchesPatternList } from "../../util/glob.ts";

/** Settings of ssh_config for one host, keywords in lower case, first value first. */
export class HostSettings {
  readonly #values = new Map<string, string[][]>();

  /** Adds the words of one line. */
  add(keyword: string, words: string[]): void {
    const lines = this.#values.get(keyword) ?? [];
    this.#values.set(keyword, [...lines, words]);
  }

  /** The words of the first line with this keyword: the first one applies. */
  words(keyword: string): string[] | undefined {
    return this.#values.get(keyword)?.[0];
  }

  /** The first word of the first line with this keyword. */
  word(keyword: string): string | undefined {
    return this.words(keyword)?.[0];
  }

  /** The first word of every line with this keyword, for those that add up. */
  all(keyword: string): string[] {
    return (this.#values.get(keyword) ?? []).flatMap((words) => words.slice(0, 1));
  }
}

/** The subjects of `Host` and `Match`. */
interface Question {
  host: string;
  user: string | undefined;
  localUser: string;
}

interface Line {
  param?: string;
  value?: string | Array<{ val: string }>;
  config?: Line[];
  criteria?: Record<string, unknown>;
}

/** The home directory: `$HOME` first, as ssh does not but every test and container wants. */
export function homeDirectory(): string {
  return homedir();
}

/** The name of the user of this process. */
export function localUserName(): string {
  try {
    return userInfo().username;
  } catch {
    // A numeric user without an entry in passwd; only a guess is left.
    return "root";
  }
}

/** `path` with `~`, relative to `base`. */
export function expandHome(path: string, base: string = homeDirectory()): string {
  if (path === "~" || path.startsWith("~/")) return join(homeDirectory(), path.slice(1));
  return isAbsolute(path) ? path : join(base, path);
}

function wordsOf(line: Line): string[] {
  if (typeof line.value === "string") return [line.value];
  return (line.value ?? []).map(({ val }) => val);
}

function matchesCriteria(line: Line, question: Question, settings: HostSettings): boolean {
  const subjects: Record<string, string> = {
    host: settings.word("hostname") ?? question.host,
    originalhost: question.host,
    user: question.user ?? settings.word("user") ?? question.localUser,
    localuser: question.localUser,
  };
  return Object.entries(line.criteria ?? {}).every(([name, value]) => {
    const negated = name.startsWith("!");
    const keyword = name.slice(negated ? 1 : 0).toLowerCase();
    if (keyword === "all") return !negated;
    const subject = subjects[keyword];
    // With an unsupported criterion the block does not apply, negated or not.
    if (subject === undefined || typeof value !== "string") return false;
    return matchesPatternList(subject, value.split(",")) !== negated;
  });
}

async function includedFiles(pattern: string, base: string): Promise<string[]> {
  const path = expandHome(pattern, base);
  if (!/[*?]/.test(path)) return [path];
  const matches = globMatcher(basename(path));
  const names = await fs.readdir(dirname(path)).catch(() => []);
  const matching = names.filter((name) => matches(name) && !name.startsWith("."));
  return matching.sort().map((name) => join(dirname(path), name));
}

async function readLines(file: string): Promise<Line[]> {
  const text = await readIfPresent(file);
  if (text === null) return [];
  try {
    return SSHConfig.parse(text.replaceAll("\r\n", "\n")) as unknown as Line[];
  } catch (error) {
    throw new HarnessError(
      "invalid_params",
      `Cannot read ${file}: ${messageOf(error)}; correct the file or name another ssh_config`,
      { cause: error },
    );
  }
}

async function apply(
  lines: Line[],
  question: Question,
  settings: HostSettings,
  place: { base: string; depth: number; budget: { files: number } },
): Promise<void> {
  for (const line of lines) {
    const keyword = line.param?.toLowerCase();
    if (keyword === undefined || keyword === "") continue;
    if (keyword === "host" || keyword === "match") {
      const applies = keyword === "host"
        ? matchesPatternList(question.host, wordsOf(line))
        : matchesCriteria(line, question, settings);
      if (applies) await apply(line.config ?? [], question, settings, place);
    } else if (keyword === "include") {
      if (place.depth >= SSH_MAX_INCLUDE_DEPTH) continue;
      const deeper = { ...place, depth: place.depth + 1 };
      for (const pattern of wordsOf(line)) {
        for (const file of await includedFiles(pattern, place.base)) {
          // A file that includes itself twice would otherwise be read 65,536 times.
          place.budget.files -= 1;
          if (place.budget.files < 0) return;
          await apply(await readLines(file), question, settings, deeper);
        }
      }
    } else {
      settings.add(keyword, wordsOf(line));
    }
  }
}

/** The names that the `Host` lines of ssh_config files give, without patterns. */
export async function hostAliases(files: readonly string[]): Promise<string[]> {
  const names = new Set<string>();
  const budget = { files: SSH_MAX_INCLUDED_FILES };
  const collect = async (file: string, base: string, depth: number): Promise<void> => {
    budget.files -= 1;
    if (depth > SSH_MAX_INCLUDE_DEPTH || budget.files < 0) return;
    for (const line of await readLines(file)) {
      const keyword = line.param?.toLowerCase();
      const included = keyword === "include" ? wordsOf(line) : [];
      for (const pattern of included) {
        for (const path of await includedFiles(pattern, base)) await collect(path, base, depth + 1);
      }
      if (keyword !== "host") continue;
      for (const name of wordsOf(line)) if (!/[*?!]/.test(name)) names.add(name);
    }
  };
  for (const file of files) await collect(file, includeBase(file), 0);
  return [...names];
}

/** The directory of relative `Include`s. */
function includeBase(file: string): string {
  return file.startsWith("/etc/") ? "/etc/ssh" : join(homeDirectory(), ".ssh");
}

/**
 * The settings for a host.
 *
 * @param files ssh_config files, first match wins; missing ones are ignored.
 * @param host The host as the user calls it.
 * @param user The user to log in as, where one was given.
 * @throws {HarnessError} `invalid_params` for a file that cannot be parsed.
 */
export async function hostSettings(
  files: readonly string[],
  host: string,
  user?: string,
): Promise<HostSettings> {
  const settings = new HostSettings();
  const question = { host, user, localUser: localUserName() };
  const budget = { files: SSH_MAX_INCLUDED_FILES };
  for (const file of files) {
    const base = includeBase(file);
    await apply(await readLines(file), question, settings, { base, depth: 0, budget });
  }
  return settings;
}
