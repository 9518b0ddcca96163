/**
 * A lint plugin that keeps the import directions of docs/architecture.md.
 */

/** For each folder of src/: the other folders it may import from. `*` = any. */
export const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  util: [],
  model: [],
  registry: [],
  storage: ["registry"],
  protocol: ["registry"],
  client: ["protocol", "registry"],
  package: [],
  executor: [],
  lifecycle: ["executor", "package"],
  deploy: ["package", "executor", "lifecycle"],
  server: ["registry", "protocol", "deploy", "lifecycle", "package", "executor"],
  cli: ["*"],
};

/** Files directly in src/ that every folder may import. */
const COMMON_FILES = ["errors.ts", "version.ts"];

/** Folders that every folder may import; `util` itself imports none, not even `model`. */
const COMMON_FOLDERS = ["util", "model"];

/** Folders that must run anywhere: no runtime API, and no npm package but these. */
const PURE: Readonly<Record<string, readonly string[]>> = {
  util: ["@logtape/logtape"],
  model: ["zod"],
  registry: ["zod"],
  protocol: ["zod"],
  client: [],
};

/** The part of util/ that uses node: modules; folders that must run anywhere do without it. */
const NODE_UTIL = "util/node/";

/** The npm packages that a file may import when it must run anywhere, else `undefined`. */
function allowedPackages(file: string): readonly string[] | undefined {
  return file.startsWith(NODE_UTIL)
    ? undefined
    : PURE[file.slice(0, Math.max(0, file.indexOf("/")))];
}

/** What is wrong with an import of `specifier` in the file at `path`, or `null`. */
export function importProblem(path: string, specifier: string): string | null {
  const file = path.replaceAll("\\", "/").split("/src/").at(-1) ?? "";
  const folder = file.includes("/") ? file.slice(0, file.indexOf("/")) : "";
  if (!path.includes("/src/") || !(folder in ALLOWED)) return null;
  if (/^(?:jsr|https?):/.test(specifier)) return `"${specifier}" is not from npm`;
  if (!specifier.startsWith(".")) {
    const pure = allowedPackages(file);
    if (pure === undefined || pure.includes(specifier)) return null;
    return `src/${folder} must run anywhere and must not import "${specifier}"`;
  }
  const resolved = new URL(specifier, `file:///src/${file}`).pathname.replace(/^\/src\//, "");
  if (!resolved.includes("/")) {
    return COMMON_FILES.includes(resolved) ? null : `src/${folder} must not import src/${resolved}`;
  }
  const other = resolved.slice(0, resolved.indexOf("/"));
  const allowed = ALLOWED[folder] ?? [];
  if (resolved.startsWith(NODE_UTIL) && allowedPackages(file) !== undefined) {
    return `src/${folder} must run anywhere and must not import src/${resolved}`;
  }
  if (COMMON_FOLDERS.includes(other) && folder !== "util") return null;
  if (other === folder || allowed.includes("*") || allowed.includes(other)) return null;
  return `src/${folder} must not import src/${other}`;
}

function check(context: Deno.lint.RuleContext, node: Deno.lint.Node, specifier: unknown): void {
  if (typeof specifier !== "string") return;
  const message = importProblem(context.filename, specifier);
  if (message !== null) context.report({ node, message });
}

/** The only files that may write to a stream of this process, by whose it is. */
const WRITERS: Readonly<Record<string, string>> = {
  Deno: "cli/system/deno_system.ts",
  process: "cli/system/node_system.ts",
};

/** What is wrong with `object.property` in the file at `path`, or `null`. */
export function outputProblem(path: string, object: string, property: string): string | null {
  const file = path.replaceAll("\\", "/").split("/src/").at(-1) ?? "";
  if (!path.includes("/src/") || file === WRITERS[object]) return null;
  // `process` is also what a command that runs is called elsewhere.
  if (object !== "Deno" && !(object === "process" && file.startsWith("cli/"))) return null;
  if (property !== "stdout" && property !== "stderr") return null;
  return `only src/${WRITERS[object]} may write to ${object}.${property}: write through Io`;
}

/** What Node 22 does not have: `using` is lowered for it, but nothing is added to its globals. */
const TOO_NEW: readonly string[] = [
  "AsyncDisposableStack",
  "DisposableStack",
  "Error.isError",
  "Iterator.concat",
  "Math.sumPrecise",
  "Promise.try",
  "RegExp.escape",
  "Temporal",
  "Uint8Array.fromBase64",
  "Uint8Array.fromHex",
];

/** What is wrong with the global `name` in the file at `path`, or `null`. */
export function tooNewProblem(path: string, name: string): string | null {
  return path.replaceAll("\\", "/").includes("/src/") && TOO_NEW.includes(name)
    ? `Node 22 has no ${name}`
    : null;
}

/** The files for what only Deno has, each with a counterpart for Node and Bun beside it. */
const DENO_FILES: readonly string[] = [
  "cli/front.ts",
  "cli/session/trusted_authority.ts",
  "cli/system/deno_system.ts",
  "util/node/descriptor_limit.ts",
  "util/node/file_lock.ts",
  "util/node/read_file.ts",
  "util/node/runtime.ts",
];

/** What is wrong with `Deno.property` in the file at `path`, or `null`. */
export function runtimeProblem(path: string): string | null {
  const file = path.replaceAll("\\", "/").split("/src/").at(-1) ?? "";
  if (!path.includes("/src/") || DENO_FILES.includes(file)) return null;
  return "src/ runs on Node and Bun too: use a node: module instead of Deno";
}

const plugin: Deno.lint.Plugin = {
  name: "harness",
  rules: {
    output: {
      create(context) {
        return {
          Identifier(node) {
            const message = tooNewProblem(context.filename, node.name);
            if (message !== null) context.report({ node, message });
          },
          MemberExpression(node) {
            if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
            const { object, property } = node;
            const message = outputProblem(context.filename, object.name, property.name) ??
              (object.name === "Deno" ? runtimeProblem(context.filename) : null) ??
              tooNewProblem(context.filename, `${object.name}.${property.name}`);
            if (message !== null) context.report({ node, message });
          },
        };
      },
    },
    layers: {
      create(context) {
        return {
          ImportDeclaration: (node) => check(context, node, node.source.value),
          ExportAllDeclaration: (node) => check(context, node, node.source.value),
          ExportNamedDeclaration: (node) => check(context, node, node.source?.value),
          ImportExpression(node) {
            if (node.source.type === "Literal") check(context, node, node.source.value);
          },
        };
      },
    },
    "no-runtime-api": {
      create(context) {
        const file = context.filename.replaceAll("\\", "/").split("/src/").at(-1) ?? "";
        const folder = file.slice(0, Math.max(0, file.indexOf("/")));
        if (!context.filename.includes("/src/") || allowedPackages(file) === undefined) return {};
        return {
          MemberExpression(node) {
            if (node.object.type !== "Identifier") return;
            if (!["Deno", "process", "Bun"].includes(node.object.name)) return;
            context.report({
              node,
              message: `src/${folder} must run anywhere and must not use ${node.object.name}`,
            });
          },
        };
      },
    },
  },
};

export default plugin;
