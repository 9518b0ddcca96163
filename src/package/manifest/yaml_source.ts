/**
 * Parses YAML with source positions. Aliases, anchors, tags, directives and multiple documents are refused.
 *
 * @module
 */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";
import type { HarnessError } from "../../errors.ts";
import { excerptOf, fileError, type FileIssue } from "../../util/file_issues.ts";
import { MAX_MANIFEST_BYTES, MAX_MANIFEST_DEPTH, MAX_MANIFEST_PROBLEMS } from "../limits.ts";

/** Keys from the root to a value; numbers are positions in a list. */
export type YamlPath = readonly PropertyKey[];

/** A parsed file: plain data with source positions. */
export interface YamlSource {
  /** The file's name, for messages. */
  readonly fileName: string;
  /** The data, without `x-` keys. */
  readonly data: unknown;
  /** Position of the value at `path`, or of the nearest collection around it. */
  at(path: YamlPath): { line: number; column: number };
  /** Position of `key` in the mapping at `path`. */
  atKey(path: YamlPath, key: string): { line: number; column: number };
  /** First and last offset of the value at `path`, or `null`. */
  range(path: YamlPath): [number, number] | null;
}

/** Where a {@linkcode YamlSource} is read from. */
export interface YamlFile {
  /** Its name, for messages. */
  readonly fileName: string;
  /** The error for the mistakes in it. @default {one about a manifest} */
  readonly faulty?: (issues: readonly FileIssue[]) => HarnessError;
}

/** One error for all mistakes of a manifest, sorted by line. */
export function manifestError(fileName: string, issues: readonly FileIssue[]): HarnessError {
  return fileError({
    code: "package_invalid",
    failure: "Cannot read the manifest",
    file: fileName,
    reason: "manifest",
  }, issues);
}

/**
 * Parses `text`.
 *
 * @throws {HarnessError} `package_invalid`, or the file's own error, with every mistake's line and column.
 */
export function parseYaml(text: string, file: YamlFile): YamlSource {
  const { fileName, faulty = (issues) => manifestError(fileName, issues) } = file;
  const bytes = new TextEncoder().encode(text).byteLength;
  if (bytes > MAX_MANIFEST_BYTES) {
    throw faulty([atStart(`it may have ${MAX_MANIFEST_BYTES} bytes, this one has ${bytes}`)]);
  }
  const counter = new LineCounter();
  const position = (offset: number) => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const document = compose(text, counter);
  if (document === null) throw faulty([atStart(tooDeep)]);
  const issues = syntaxIssues(document, text, position);
  const directive = document.directives?.docStart === true ? /^%/m.exec(text) : null;
  if (directive !== null) {
    issues.push({
      ...position(directive.index),
      path: "",
      message: "a YAML directive is not allowed",
    });
  }
  issues.push(...forbidden(document, position));
  if (issues.length > 0) throw faulty(issues);

  dropExtensions(document);
  keepSpellingOfEnv(document);
  const nodeAt = (path: YamlPath): Node | null => {
    const node = path.length === 0 ? document.contents : document.getIn([...path], true);
    return isNode(node) ? node : null;
  };
  const at = (path: YamlPath): { line: number; column: number } => {
    for (let length = path.length; length >= 0; length--) {
      const range = nodeAt(path.slice(0, length))?.range;
      if (range) return position(range[0]);
    }
    return { line: 1, column: 1 };
  };
  return {
    fileName,
    data: document.toJS() as unknown,
    at,
    atKey(path, key) {
      const map = nodeAt(path);
      const pair = isMap(map) ? map.items.find((item) => keyText(item.key) === key) : undefined;
      const range = isNode(pair?.key) ? pair.key.range : undefined;
      return range ? position(range[0]) : at(path);
    },
    range(path) {
      const range = nodeAt(path)?.range;
      return range ? [range[0], range[1]] : null;
    },
  };
}

function atStart(message: string): FileIssue {
  return { path: "", line: 1, column: 1, message };
}

/** `null` where it is nested too deeply to be parsed. */
function compose(text: string, lineCounter: LineCounter): Document.Parsed | null {
  try {
    return parseDocument(text, {
      version: "1.2",
      schema: "core",
      strict: true,
      uniqueKeys: true,
      merge: false,
      prettyErrors: false,
      logLevel: "error",
      lineCounter,
    });
  } catch (error) {
    // The parser recurses: extreme nesting overflows the stack before our own limit is checked.
    if (!(error instanceof RangeError)) throw error;
    return null;
  }
}

const tooDeep = `more than ${MAX_MANIFEST_DEPTH} nested collections`;

/** One problem per position: further errors of the parser at the same position are follow-ups. */
function syntaxIssues(
  document: Document.Parsed,
  text: string,
  position: (offset: number) => { line: number; column: number },
): FileIssue[] {
  const places = new Map<number, FileIssue>();
  for (const error of document.errors) {
    const offset = error.pos[0];
    if (places.has(offset)) continue;
    const deep = error.message.includes("call stack");
    const message = deep ? tooDeep : yamlRule(error.code, error.message);
    const place = position(offset);
    places.set(offset, { ...place, path: "", message, excerpt: excerptOf(text, place) });
  }
  return [...places.values()];
}

/** The parser's message where it is clear, else our own. */
function yamlRule(code: string, message: string): string {
  if (code === "TAB_AS_INDENT") return "a tab is not allowed as indentation: use spaces";
  if (code === "DUPLICATE_KEY") return "this key is set twice: keep one of them";
  if (code === "MULTIPLE_DOCS") return "only one YAML document is allowed";
  const first = message.split("\n")[0] ?? code;
  return `this is not valid YAML: ${first}`;
}

function forbidden(
  document: Document.Parsed,
  position: (offset: number) => { line: number; column: number },
): FileIssue[] {
  const issues: FileIssue[] = [];
  const report = (node: { range?: readonly number[] | null | undefined }, message: string) => {
    if (issues.length < MAX_MANIFEST_PROBLEMS) {
      issues.push({ ...position(node.range?.[0] ?? 0), path: "", message });
    }
  };
  visit(document, {
    Node(_key, node, path) {
      if (isAlias(node)) {
        report(node, "an alias is not allowed: write the value out");
        return visit.SKIP;
      }
      if (node.anchor !== undefined) report(node, "an anchor is not allowed: write the value out");
      if (node.tag !== undefined) report(node, `the tag ${node.tag} is not allowed`);
      if (isCollection(node) && path.filter(isCollection).length >= MAX_MANIFEST_DEPTH) {
        report(node, tooDeep);
        return visit.SKIP;
      }
      return undefined;
    },
    Pair(_key, pair) {
      const key = pair.key;
      if (isScalar(key) && typeof key.value === "string") return undefined;
      if (isAlias(key)) return undefined;
      report(isNode(key) ? key : document.contents ?? {}, "a key must be text");
      return visit.SKIP;
    },
  });
  return issues;
}

function keyText(key: unknown): string | undefined {
  return isScalar(key) && typeof key.value === "string" ? key.value : undefined;
}

/** Removes `x-` keys, which are free for the author's use. */
function dropExtensions(document: Document.Parsed): void {
  visit(document, {
    Pair(_key, pair) {
      return keyText(pair.key)?.startsWith("x-") ? visit.REMOVE : undefined;
    },
  });
}

/** Keeps variables as written: `VERSION: 1.10` must not become "1.1". */
function keepSpellingOfEnv(document: Document.Parsed): void {
  const env = document.get("env", true);
  if (!isMap(env)) return;
  for (const pair of env.items) {
    const value = isMap(pair.value) ? pair.value.get("default", true) : pair.value;
    if (!isScalar(value) || value.source === undefined) continue;
    if (typeof value.value === "number" || typeof value.value === "boolean") {
      value.value = value.source;
    }
  }
}
