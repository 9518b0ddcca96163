/**
 * The config file of `serve`: YAML whose keys are the names of the flags.
 *
 * @module
 */
import { messageOf } from "../../errors.ts";
import type { YamlPath, YamlSource } from "../../package/manifest/yaml_source.ts";
import type { FileIssue } from "../../util/file_issues.ts";
import { type ConfigValue, type Flag, flagName, type FlagTable, type NamedFile } from "./flags.ts";
import { readNamedFile } from "./secrets.ts";
import { type TextFile, unknownKey, unusable } from "./text_file.ts";
import { parseYamlFile } from "./yaml_file.ts";

/**
 * Reads the config file.
 *
 * @throws {HarnessError} `not_found` or `forbidden` when it cannot be read, `invalid_params` with every mistake and its
 * line when its text is not a flat map of flags in `table` to values that they take.
 */
export async function readConfigFile(
  file: NamedFile,
  table: FlagTable,
): Promise<Map<string, ConfigValue>> {
  return parseConfig(await readNamedFile(file), file.path, table);
}

/** The values in the YAML `text`; `path` is for messages. See {@linkcode readConfigFile}. */
export function parseConfig(
  text: string,
  path: string,
  table: FlagTable,
): Map<string, ConfigValue> {
  const file: TextFile = { place: "the config file", path, reason: "config_file" };
  const source = parseYamlFile(text, file);
  const data = source.data ?? {};
  if (typeof data !== "object" || Array.isArray(data)) {
    const message = "must be a map of flag names to values, such as listen: 127.0.0.1:8080";
    throw unusable(file, [{ ...source.at([]), path: "", message }]);
  }
  const flags = new Map(Object.entries(table).map(([key, flag]) => [flagName(key), flag]));
  const values = new Map<string, ConfigValue>();
  const issues: FileIssue[] = [];
  for (const [key, value] of Object.entries(data)) {
    const at = source.atKey([], key);
    const flag = flags.get(key);
    if (flag === undefined) {
      issues.push({ ...at, path: key, message: unknownKey(key, [...flags.keys()]) });
      continue;
    }
    const items = Array.isArray(value)
      ? value.map((item, index) => ({ value: item, path: [key, index] }))
      : [{ value, path: [key] }];
    const texts = items.map((item) => asWritten(text, source, item.value, item.path));
    const place = `${path}:${at.line}`;
    const problems = valueProblems(flag, texts, place);
    for (const [index, message] of problems) {
      const item = items[index]?.path ?? [key];
      issues.push({ ...source.at(item), path: item.join("."), message: `"${key}" ${message}` });
    }
    if (problems.length === 0) values.set(key, { texts: texts.map(String), place });
  }
  if (issues.length > 0) throw unusable(file, issues);
  return values;
}

/** What is wrong with the values of a flag, by their index. */
function valueProblems(
  flag: Flag<unknown>,
  texts: ReadonlyArray<string | null>,
  place: string,
): Array<[index: number, message: string]> {
  const problems: Array<[number, string]> = [];
  if (!flag.repeatable && texts.length > 1) problems.push([0, "takes one value, not a list"]);
  if (!flag.repeatable && texts.length === 0) problems.push([0, "must have a value"]);
  for (const [index, one] of texts.entries()) {
    if (one === null) {
      problems.push([index, `must have a value${flag.repeatable ? " or a list of values" : ""}`]);
      continue;
    }
    try {
      flag.parse([one], place);
    } catch (error) {
      problems.push([index, `${messageOf(error)}; got ${JSON.stringify(one.slice(0, 64))}`]);
    }
  }
  return problems;
}

/** A value as it is written: `0x10` is no number here. `null` for what is no single value. */
function asWritten(
  text: string,
  source: YamlSource,
  value: unknown,
  path: YamlPath,
): string | null {
  if (typeof value === "string") return value;
  const range = source.range(path);
  if (value === null || typeof value === "object" || range === null) return null;
  return text.slice(...range);
}
