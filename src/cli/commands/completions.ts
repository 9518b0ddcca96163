/**
 * `completions`: shell completion scripts, and the hidden `complete` that they call.
 *
 * @module
 */
import { Argument, type Command } from "commander";
import { SERVER_NAME } from "../../version.ts";
import { addHandler, type Context, type Io } from "../context.ts";

const SHELLS = ["bash", "zsh", "fish", "powershell"];

/** Declares `completions`. */
export function addCompletionsCommand(program: Command, context: Context): void {
  const command = program.command("completions")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>").choices(SHELLS));
  addHandler(context, command, async (_flags, shell = "") => {
    const { script } = await import("@bomb.sh/tab");
    script(shell as "bash", SERVER_NAME, SERVER_NAME);
  });
}

/**
 * What answers `complete -- <words>`, the question of a completion script; `null` for other commands.
 *
 * It is no command of the program, so that no typo reaches it and no help lists it.
 */
export function completionCommand(
  args: readonly string[],
): ((program: Command, io: Io) => Promise<void>) | null {
  if (args[0] !== "complete" || args[1] !== "--") return null;
  return async (program, io) => {
    const { default: describe } = await import("@bomb.sh/tab/commander");
    const words = args.slice(2);
    const { addLiveNames } = await import("../flags/dynamic_completions.ts");
    // tab adds commands of its own under these names: they are not offered.
    const root = describe(program, { completionCommandName: "completions-of-tab" });
    root.commands.delete("completions-of-tab");
    root.commands.delete("complete");
    await addLiveNames(root, words, io);
    root.parse(words);
  };
}
