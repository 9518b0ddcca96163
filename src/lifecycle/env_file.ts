/**
 * Env files: `KEY='value'` lines that POSIX sh (`. file`) and systemd (`EnvironmentFile=`) read alike.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * The text of an env file. A value stands in single quotes; a single quote in it becomes `'"'"'`, because systemd does
 * not know the usual `'\''`. Line ends, `$`, backslashes and UTF-8 pass unchanged; NUL cannot be in an environment.
 */
export function formatEnvFile(env: Readonly<Record<string, string>>): string {
  return Object.entries(env).map(([name, value]) => {
    if (!NAME.test(name) || value.includes("\0")) {
      throw new HarnessError(
        "invalid_params",
        `Cannot write the variable ${JSON.stringify(name)}: ${
          NAME.test(name) ? "its value holds a NUL" : "a name is letters, digits and _"
        }`,
      );
    }
    return `${name}='${value.replaceAll("'", `'"'"'`)}'\n`;
  }).join("");
}
