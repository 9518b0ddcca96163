/** Removes directories into which somebody may still write. */

/**
 * Removes a directory with all in it. A service that was just killed leaves a keeper that writes down how it
 * ended: a file that comes up while the directory is emptied makes the removal fail, so it is tried again.
 */
export async function removeTree(path: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    try {
      await Deno.remove(path, { recursive: true });
      return;
    } catch (error) {
      // Not empty after all, or a file was renamed under our hands.
      const { code } = error as { code?: unknown };
      if (code !== "ENOTEMPTY" && code !== "ENOENT" || performance.now() > deadline) throw error;
    }
    if (await Deno.lstat(path).then(() => false, () => true)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Takes a directory away from a program that writes in it, in one step: emptying it file by file would race with
 * the program.
 */
export async function takeAway(path: string): Promise<void> {
  const away = `${path}.away-${crypto.randomUUID()}`;
  await Deno.rename(path, away);
  await removeTree(away);
}
