/** An ssh_config for one test. */

/** Runs `use` with a config file of `text`, in which `@DIR@` is the directory. */
export async function withConfig<T>(
  text: string,
  use: (file: string, dir: string) => Promise<T>,
): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "harness-ssh-config-" });
  try {
    await Deno.writeTextFile(`${dir}/config`, text.replaceAll("@DIR@", dir));
    return await use(`${dir}/config`, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
