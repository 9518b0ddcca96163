/**
 * `completions`: prints, installs and removes what makes a shell complete our command lines.
 *
 * @module
 */
import type { Command } from "../command_line/command.ts";
import { HarnessError } from "../../errors.ts";
import { SERVER_NAME } from "../../version.ts";
import { addHandler, type Context } from "../context.ts";
import { oneOf } from "../flags/values.ts";
import type { Shell } from "../completion/scripts.ts";

const SHELLS: readonly Shell[] = ["bash", "zsh", "fish", "powershell"];

/** Declares the command that prints the script of the shell it is called. The scripts are loaded when they are needed. */
export function declareScript(command: Command, context: Context): void {
  addHandler(context, command, async () => {
    const { completionScript } = await import("../completion/scripts.ts");
    context.io.raw(completionScript(command.name as Shell));
  });
}

/** Declares `completions install`. */
export function declareInstall(command: Command, context: Context): void {
  addHandler(context, command, (_flags, shell) => change(context, shell, false));
}

/** Declares `completions uninstall`. */
export function declareUninstall(command: Command, context: Context): void {
  addHandler(context, command, (_flags, shell) => change(context, shell, true));
}

async function change(context: Context, name: string | undefined, remove: boolean): Promise<void> {
  const { installCompletions, shellOfPath, uninstallCompletions } = await import(
    "../completion/install.ts"
  );
  const shell = name === undefined ? shellOfPath(context.io.env("SHELL") ?? "") : named(name);
  if (shell === null) {
    throw new HarnessError(
      "invalid_params",
      `Cannot choose a shell: $SHELL names none of ${SHELLS.join(", ")}; name one: ` +
        `\`${SERVER_NAME} completions install bash\``,
    );
  }
  await (remove ? uninstallCompletions : installCompletions)(context.io, shell);
}

function named(name: string): Shell {
  if (name === "pwsh") return "powershell";
  try {
    return oneOf(SHELLS)(name);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new HarnessError("invalid_params", `Cannot install completions: "${name}" ${why}`);
  }
}
