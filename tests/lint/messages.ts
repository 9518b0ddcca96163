/**
 * A lint plugin against reading messages back: a message is for people, a program reads `code` and `details`.
 *
 * A pattern or string operation on `.message`, on `messageOf(…)` or on a variable that was set to one is an error in
 * src. Cutting one to a length, `slice(0, …)`, is not.
 */

/** Files that must read the text of a foreign library, which reports nothing else, and whose it is. */
export const FOREIGN: Readonly<Record<string, string>> = {
  "executor/ssh/auth.ts": "ssh2",
  "executor/ssh/channels.ts": "ssh2",
  "executor/ssh/ssh_executor.ts": "ssh2",
  "executor/ssh/connection.ts": "ssh2",
  "executor/ssh/errors.ts": "ssh2",
  "package/manifest/yaml_source.ts": "yaml",
  "server/listeners/listener.ts": "Deno and Node",
};

/** Operations on a text that read it. */
const READING = new Set([
  ...["endsWith", "includes", "indexOf", "match", "matchAll", "replace", "replaceAll"],
  ...["search", "slice", "split", "startsWith", "substring"],
]);

/** Whether a node is the message of an error: `x.message`, `messageOf(x)`, `message`, or a variable set to one. */
function isMessage(node: Deno.lint.Node | null | undefined, known: ReadonlySet<string>): boolean {
  switch (node?.type) {
    case "Identifier":
      return node.name === "message" || known.has(node.name);
    case "MemberExpression":
      return node.property.type === "Identifier" && node.property.name === "message";
    case "ChainExpression":
      return isMessage(node.expression, known);
    case "LogicalExpression":
      return isMessage(node.left, known);
    case "CallExpression": {
      const { callee } = node;
      if (callee.type === "Identifier") return callee.name === "messageOf";
      // `messageOf(x).trim().split()`
      return callee.type === "MemberExpression" && isMessage(callee.object, known);
    }
    default:
      return false;
  }
}

function reads(call: Deno.lint.CallExpression, known: ReadonlySet<string>): boolean {
  // An optional chain, `error?.message.split()`, is a node around the member.
  const callee = call.callee.type as string === "ChainExpression"
    ? (call.callee as unknown as Deno.lint.ChainExpression).expression
    : call.callee;
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return false;
  const { name } = callee.property;
  const [first] = call.arguments;
  if (name === "test" || name === "exec") return isMessage(first, known);
  if (!READING.has(name) || !isMessage(callee.object, known)) return false;
  return !(name === "slice" && first?.type === "Literal" && first.value === 0);
}

const plugin: Deno.lint.Plugin = {
  name: "harness-messages",
  rules: {
    "no-parsed-message": {
      create(context) {
        const path = context.filename.replaceAll("\\", "/");
        const [, file = ""] = /\/src\/(.*)$/.exec(path) ?? [];
        if (file === "" || Object.hasOwn(FOREIGN, file)) return {};
        const known = new Set<string>();
        return {
          VariableDeclarator(node) {
            if (node.id.type === "Identifier" && isMessage(node.init, known)) {
              known.add(node.id.name);
            }
          },
          CallExpression(node) {
            if (!reads(node, known)) return;
            const message = "a message is for people: read code and details instead";
            context.report({ node, message });
          },
        };
      },
    },
  },
};

export default plugin;
