/**
 * YAML files of the command line: one error for all that is wrong in a file, with lines.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import {
  parseYaml,
  type SourceProblem,
  type YamlSource,
} from "../../package/manifest/yaml_source.ts";
import { nearestName } from "../../util/did_you_mean.ts";

const SHOWN_PROBLEMS = 50;

/** A YAML file in messages and details. */
export interface YamlFile {
  /** What names it in a message, such as `--tokens-file`. */
  readonly place: string;
  /** Its path. */
  readonly path: string;
  /** `details.reason` of its errors. */
  readonly reason: "config_file" | "tokens_file";
}

/** Parses the text of a file. @throws {HarnessError} `invalid_params` with every syntax error. */
export function parseYamlFile(text: string, file: YamlFile): YamlSource {
  try {
    return parseYaml(text, file.path);
  } catch (error) {
    if (!(error instanceof HarnessError)) throw error;
    const problems = error.details?.["problems"];
    throw unusable(file, Array.isArray(problems) ? problems : [], error);
  }
}

/** The error for a file with problems, in the order of its lines. */
export function unusable(
  { place, path, reason }: YamlFile,
  problems: readonly SourceProblem[],
  cause?: unknown,
): HarnessError {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const lines = sorted.map((p) => `${path}:${p.line}:${p.column}: ${p.message}`);
  const shown = lines.slice(0, SHOWN_PROBLEMS);
  if (lines.length > shown.length) shown.push(`and ${lines.length - shown.length} more`);
  return new HarnessError("invalid_params", `Cannot use ${place}: ${shown.join("; ")}`, {
    details: { reason, file: path, problems: sorted.slice(0, SHOWN_PROBLEMS) },
    cause,
  });
}

/** What is wrong with a key that is not one of `known`. */
export function unknownKey(key: string, known: readonly string[]): string {
  const close = nearestName(key, known);
  const hint = close === null ? "" : `, did you mean "${close}"?`;
  return `unknown key ${JSON.stringify(key.slice(0, 64))}${hint}`;
}
