/**
 * The config file of `serve`: YAML whose keys are the names of the flags.
 *
 * @module
 */
import type { SourceProblem, YamlPath, YamlSource } from "../../package/manifest/yaml_source.ts";
import type { ConfigValue, NamedFile } from "./flags.ts";
import { readNamedFile } from "./secrets.ts";
import { parseYamlFile, unknownKey, unusable, type YamlFile } from "./yaml_file.ts";

/**
 * Reads the config file.
 *
 * @throws {HarnessError} `not_found` or `forbidden` when it cannot be read, `invalid_params` with every problem and its
 * line when its text is not a flat map of the known keys.
 */
export async function readConfigFile(
  file: NamedFile,
  known: readonly string[],
): Promise<Map<string, ConfigValue>> {
  return parseConfig(await readNamedFile(file), file.path, known);
}

/** The values in the YAML `text`; `path` is for messages. See {@linkcode readConfigFile}. */
export function parseConfig(
  text: string,
  path: string,
  known: readonly string[],
): Map<string, ConfigValue> {
  const file: YamlFile = { place: "the config file", path, reason: "config_file" };
  const source = parseYamlFile(text, file);
  const data = source.data ?? {};
  if (typeof data !== "object" || Array.isArray(data)) {
    throw unusable(file, [{ ...source.at([]), message: "must be a map of flag names to values" }]);
  }
  const values = new Map<string, ConfigValue>();
  const problems: SourceProblem[] = [];
  for (const [key, value] of Object.entries(data)) {
    const at = source.atKey([], key);
    if (!known.includes(key)) problems.push({ ...at, message: unknownKey(key, known) });
    else {
      const texts = Array.isArray(value)
        ? value.map((item, index) => asWritten(text, source, item, [key, index]))
        : [asWritten(text, source, value, [key])];
      if (texts.every((one) => one !== null)) {
        values.set(key, { texts, place: `${path}:${at.line}` });
      } else {
        const message = `"${key}" must have a value or a list of values`;
        problems.push({ ...source.at([key]), message });
      }
    }
  }
  if (problems.length > 0) throw unusable(file, problems);
  return values;
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
