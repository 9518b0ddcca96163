/**
 * `completions`: prints, installs and removes what makes a shell complete our command lines.
 *
 * @module
 */
import type { Command } from "commander";
import { HarnessError } from "../../errors.ts";
import { SERVER_NAME } from "../../version.ts";
import { addHandler, type Context } from "../context.ts";
import { oneOf } from "../flags/values.ts";
import type { Shell } from "../completion/scripts.ts";

/** The shells, and what each is called in the help. */
const SHELLS: Readonly<Record<Shell, string>> = {
  bash: "bash",
  zsh: "zsh",
  fish: "fish",
  powershell: "PowerShell",
};

/** Declares the commands. The scripts are loaded when they are needed. */
export function addCompletionsCommand(program: Command, context: Context): void {
  const group = program.command("completions")
    .description("make a shell complete commands, flags and live names");
  for (const [shell, title] of Object.entries(SHELLS) as Array<[Shell, string]>) {
    const command = group.command(shell).description(`print the script for ${title}`);
    if (shell === "powershell") command.alias("pwsh");
    addHandler(context, command, async () => {
      const { completionScript } = await import("../completion/scripts.ts");
      context.io.raw(completionScript(shell));
    });
  }
  const install = group.command("install")
    .description("install for this user; without a name, for the shell of $SHELL")
    .argument("[shell]", Object.keys(SHELLS).join(", "));
  addHandler(context, install, (_flags, shell) => change(context, shell, false));
  const uninstall = group.command("uninstall").description("remove what was installed")
    .argument("[shell]", Object.keys(SHELLS).join(", "));
  addHandler(context, uninstall, (_flags, shell) => change(context, shell, true));
}

async function change(context: Context, name: string | undefined, remove: boolean): Promise<void> {
  const { installCompletions, shellOfPath, uninstallCompletions } = await import(
    "../completion/install.ts"
  );
  const shell = name === undefined ? shellOfPath(context.io.env("SHELL") ?? "") : named(name);
  if (shell === null) {
    throw new HarnessError(
      "invalid_params",
      `Cannot choose a shell: $SHELL names none of ${Object.keys(SHELLS).join(", ")}; name one: ` +
        `\`${SERVER_NAME} completions install bash\``,
    );
  }
  await (remove ? uninstallCompletions : installCompletions)(context.io, shell);
}

function named(name: string): Shell {
  if (name === "pwsh") return "powershell";
  try {
    return oneOf(Object.keys(SHELLS) as Shell[])(name);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new HarnessError("invalid_params", `Cannot install completions: "${name}" ${why}`);
  }
}
