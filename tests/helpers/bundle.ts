/** One JavaScript file for another runtime, made of one of our modules and all it imports. */

/** Options for {@linkcode bundle}. */
export interface BundleOptions {
  /** Module to begin with, relative to the repository. */
  entry: string;
  /** File to write. */
  out: string;
  /** `browser` leaves `node:` modules out. @default {"deno"} */
  platform?: "deno" | "browser";
}

/** Bundles with `deno bundle`. */
export async function bundle({ entry, out, platform = "deno" }: BundleOptions): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      `--platform=${platform}`,
      // ssh2 has optional native parts; it does without where they cannot be loaded.
      "--external=*.node",
      `--output=${out}`,
      entry,
    ],
    cwd: new URL("../../", import.meta.url),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`deno bundle failed: ${new TextDecoder().decode(stderr)}`);
  if (platform === "browser") return;
  // CommonJS packages expect this name; Node has it not in modules, and bundlers add it like this.
  const code = await Deno.readTextFile(out);
  await Deno.writeTextFile(out, `const __dirname = import.meta.dirname;\n${code}`);
}
