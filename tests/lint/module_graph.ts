/** The imports and exports of the modules in src/, read with the TypeScript compiler's own parser. */
import ts from "typescript";

/** What one module imports and exports. Paths are relative to the root of the repository. */
export interface Module {
  /** The modules that it imports, type imports and re-exports included. */
  imports: Set<string>;
  /** For each module that it imports or re-exports: the names, `*` for all of them. */
  names: Map<string, Set<string>>;
  /** The names that it exports itself; `true` for a type that an exported declaration of the module mentions. */
  exports: Map<string, boolean>;
}

/** The modules of a tree, by path. */
export type ModuleGraph = Map<string, Module>;

/** Reads the modules among `files`, which maps paths to texts. */
export function moduleGraph(files: ReadonlyMap<string, string>): ModuleGraph {
  const graph: ModuleGraph = new Map();
  for (const [path, text] of files) graph.set(path, readModule(path, text));
  return graph;
}

function readModule(path: string, text: string): Module {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const module: Module = { imports: new Set(), names: new Map(), exports: new Map() };
  const take = (specifier: ts.Expression | undefined, names: Iterable<string>): void => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    if (!specifier.text.startsWith(".")) return;
    const target = new URL(specifier.text, `file:///${path}`).pathname.slice(1);
    module.imports.add(target);
    const known = module.names.get(target) ?? new Set();
    module.names.set(target, new Set([...known, ...names]));
  };
  for (const node of source.statements) {
    if (ts.isImportDeclaration(node)) take(node.moduleSpecifier, importedNames(node));
    else if (ts.isExportDeclaration(node)) take(node.moduleSpecifier, reexportedNames(node));
    else for (const name of declaredExports(node)) module.exports.set(name, false);
  }
  visitDynamicImports(source, take);
  for (const name of module.exports.keys()) {
    module.exports.set(name, isTypeOfExport(source, name));
  }
  return module;
}

function importedNames(node: ts.ImportDeclaration): string[] {
  const bindings = node.importClause?.namedBindings;
  if (bindings === undefined) return [];
  if (ts.isNamespaceImport(bindings)) return ["*"];
  return bindings.elements.map((element) => (element.propertyName ?? element.name).text);
}

function reexportedNames(node: ts.ExportDeclaration): string[] {
  if (node.exportClause === undefined || ts.isNamespaceExport(node.exportClause)) return ["*"];
  return node.exportClause.elements.map((element) => (element.propertyName ?? element.name).text);
}

function isExported(node: ts.Statement): boolean {
  return ts.canHaveModifiers(node) &&
    (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

function declaredExports(node: ts.Statement): string[] {
  if (!isExported(node)) return [];
  if (ts.isVariableStatement(node)) {
    return node.declarationList.declarations.flatMap(({ name }) => namesOf(name));
  }
  const { name } = node as ts.DeclarationStatement;
  return name === undefined ? [] : [name.text];
}

function namesOf(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) =>
    ts.isOmittedExpression(element) ? [] : namesOf(element.name)
  );
}

function visitDynamicImports(
  source: ts.SourceFile,
  found: (specifier: ts.Expression, names: string[]) => void,
): void {
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments;
      if (specifier !== undefined) found(specifier, dynamicNames(node));
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      found(node.argument.literal as ts.Expression, ["*"]);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

/** The names that `(await import(…)).name` or `const { name } = await import(…)` takes, else `*` for all. */
function dynamicNames(call: ts.CallExpression): string[] {
  if (!ts.isAwaitExpression(call.parent)) return ["*"];
  const { parent } = call.parent;
  if (ts.isParenthesizedExpression(parent) && ts.isPropertyAccessExpression(parent.parent)) {
    return [parent.parent.name.text];
  }
  if (!ts.isVariableDeclaration(parent) || !ts.isObjectBindingPattern(parent.name)) return ["*"];
  return parent.name.elements.map(({ propertyName, name }) => (propertyName ?? name).getText());
}

/** Whether `name` is a type and in the signature of something else that the module exports. */
function isTypeOfExport(source: ts.SourceFile, name: string): boolean {
  const isType = source.statements.some((node) =>
    (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) && node.name.text === name
  );
  if (!isType) return false;
  return source.statements.some((node) =>
    isExported(node) && !declaredExports(node).includes(name) && mentions(node, name)
  );
}

/** Whether a type in a declaration is `name`; bodies of functions do not count. */
function mentions(node: ts.Node, name: string): boolean {
  if (ts.isBlock(node)) return false;
  if (ts.isIdentifier(node) && node.text === name) return true;
  return ts.forEachChild(node, (child) => mentions(child, name) || undefined) ?? false;
}

/** Each group of modules that import each other in a circle, as the paths of one circle. */
export function importCycles(graph: ModuleGraph): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      cycles.push([...trail.slice(at), path]);
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path)?.imports ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return cycles;
}

/**
 * The exports that no module of the graph imports, as `path: name`. All exports of `entryPoints` and what they
 * re-export count as used.
 */
export function deadExports(graph: ModuleGraph, entryPoints: readonly string[]): string[] {
  const used = new Set<string>();
  for (const [path, { names }] of graph) {
    for (const [target, imported] of names) {
      if (target === path) continue;
      for (const name of imported) used.add(`${target}: ${name}`);
    }
  }
  const dead: string[] = [];
  for (const [path, { exports }] of graph) {
    if (entryPoints.includes(path) || used.has(`${path}: *`)) continue;
    for (const [name, isPartOfSignature] of exports) {
      if (!isPartOfSignature && !used.has(`${path}: ${name}`)) dead.push(`${path}: ${name}`);
    }
  }
  return dead;
}
