/** Measures functions with the TypeScript compiler's own parser. */
import ts from "typescript";

/** One function and its length. */
export interface FunctionLength {
  /** Name, or `(anonymous)`. */
  name: string;
  /** Line where it starts, from 1. */
  line: number;
  /** Lines from its head to its closing brace. */
  lines: number;
}

/** Every function with a body in `text`. */
export function functionLengths(fileName: string, text: string): FunctionLength[] {
  const source = ts.createSourceFile(fileName, text, ts.ScriptTarget.Latest, true);
  const found: FunctionLength[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && "body" in node && node.body !== undefined) {
      const from = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
      const to = source.getLineAndCharacterOfPosition(node.getEnd()).line;
      const name = node.name?.getText(source) ?? "(anonymous)";
      found.push({ name, line: from + 1, lines: to - from + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
