/**
 * YAML files of the command line.
 *
 * @module
 */
import { parseYaml, type YamlSource } from "../../package/manifest/yaml_source.ts";
import type { FileIssue } from "../../util/file_issues.ts";
import { type TextFile, unusable } from "./text_file.ts";

/** Parses the text of a file. @throws {HarnessError} `invalid_params` with every syntax error. */
export function parseYamlFile(text: string, file: TextFile): YamlSource {
  const faulty = (issues: readonly FileIssue[]) => unusable(file, issues);
  return parseYaml(text, { fileName: file.path, faulty });
}
