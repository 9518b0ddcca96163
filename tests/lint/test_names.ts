/** Reads the names of tests with the TypeScript compiler's own parser. */
import ts from "typescript";

/** The names given to `Deno.test()`, with `${x}` counted as `x`. */
export function testNames(path: string, text: string): string[] {
  const names: string[] = [];
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.getText(source) === "Deno.test") {
      const name = nameOf(node.arguments[0], source);
      if (name !== null) names.push(name);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

function nameOf(node: ts.Expression | undefined, source: ts.SourceFile): string | null {
  if (node === undefined) return null;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.getText(source).slice(1, -1).replace(/\$\{([^}]*)\}/g, "$1");
  }
  if (!ts.isObjectLiteralExpression(node)) return null;
  const found = node.properties.find((one) => one.name?.getText(source) === "name");
  return found !== undefined && ts.isPropertyAssignment(found)
    ? nameOf(found.initializer, source)
    : null;
}
