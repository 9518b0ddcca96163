/**
 * The config file of `serve`: YAML whose keys are the names of the flags.
 *
 * @module
 */
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { HarnessError } from "../../errors.ts";
import { nearestName } from "../../util/did_you_mean.ts";
import type { NamedFile } from "./flags.ts";
import { readNamedFile } from "./secrets.ts";

/** What the config file says of one flag. */
export interface ConfigValue {
  /** The value, or several for a list. */
  texts: string[];
  /** `file:line`. */
  place: string;
}

/**
 * Reads the config file.
 *
 * @throws {HarnessError} `not_found` or `forbidden` when it cannot be read, `invalid_params` with file and line when its
 * text is not a flat map of the known keys.
 */
export async function readConfigFile(
  file: NamedFile,
  known: readonly string[],
): Promise<Map<string, ConfigValue>> {
  return parseConfig(await readNamedFile(file), file.path, known);
}

/** The values in the YAML `text`; `fileName` is for messages. See {@linkcode readConfigFile}. */
export function parseConfig(
  text: string,
  fileName: string,
  known: readonly string[],
): Map<string, ConfigValue> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const refuse = (offset: number, why: string): never => {
    const { line, col } = lines.linePos(offset);
    const place = `${fileName}:${line}:${col}`;
    throw new HarnessError("invalid_params", `Cannot use the config file: ${place}: ${why}`);
  };
  const syntax = document.errors[0];
  if (syntax !== undefined) refuse(syntax.pos[0], syntax.message.split("\n")[0] ?? "not YAML");
  const values = new Map<string, ConfigValue>();
  const root = document.contents;
  if (root === null) return values;
  if (!isMap<Node, Node | null>(root)) return refuse(0, "must be a map of flag names to values");
  for (const { key, value } of root.items) {
    const offset = key.range?.[0] ?? 0;
    const name = isScalar(key) ? String(key.value) : "";
    if (!known.includes(name)) {
      const close = nearestName(name, known);
      const hint = close === null ? "" : `, did you mean "${close}"?`;
      refuse(offset, `unknown key "${name}"${hint}`);
    }
    const items = isSeq<Node>(value) ? value.items : [value];
    const texts = items.map((item) => {
      if (isScalar(item) && item.value !== null) return item.source ?? String(item.value);
      return refuse(item?.range?.[0] ?? offset, `"${name}" must have a value or a list of values`);
    });
    values.set(name, { texts, place: `${fileName}:${lines.linePos(offset).line}` });
  }
  return values;
}
