/**
 * Env files: `KEY='value'` lines that POSIX sh (`. file`) and systemd (`EnvironmentFile=`) read alike.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The comment before a secret: who reads the file knows what to keep out of reports. */
const SECRET_MARK = "# secret";

/**
 * The text of an env file. A value is in single quotes; a single quote in it becomes `'"'"'`, because systemd does
 * not know the usual `'\''`. Line ends, `$`, backslashes and UTF-8 pass unchanged; NUL cannot be in an environment.
 * Variables in `secrets` are marked for {@linkcode secretsIn}.
 */
export function formatEnvFile(
  env: Readonly<Record<string, string>>,
  secrets: ReadonlySet<string> = new Set(),
): string {
  return Object.entries(env).map(([name, value]) => {
    if (!NAME.test(name) || value.includes("\0")) {
      throw new HarnessError(
        "invalid_params",
        `Cannot write the variable ${JSON.stringify(name)}: ${
          NAME.test(name) ? "its value holds a NUL" : "a name is letters, digits and _"
        }`,
      );
    }
    const mark = secrets.has(name) ? `${SECRET_MARK}\n` : "";
    return `${mark}${name}='${value.replaceAll("'", `'"'"'`)}'\n`;
  }).join("");
}

/** The values that an env file of ours marks as secret. */
export function secretsIn(text: string): string[] {
  // From one variable to the next, so that text inside a value is not taken for a mark; other lines are skipped
  // (with [^\n]: a dot stops at a CR or U+2028 and would match nothing there, for ever).
  const entry = /(# secret\n)?[A-Za-z_][A-Za-z0-9_]*='([^']*(?:'"'"'[^']*)*)'\n|[^\n]*\n?/y;
  const found: string[] = [];
  while (entry.lastIndex < text.length) {
    const [, mark, value] = entry.exec(text) ?? [];
    if (mark !== undefined && value !== undefined) found.push(value.replaceAll(`'"'"'`, "'"));
  }
  return found;
}
