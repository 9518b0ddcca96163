/**
 * Line coverage of each folder of src against its threshold: `deno task check:coverage`, after the tests
 * ran with `deno task test:all --coverage=.cov`.
 */
const THRESHOLDS: Readonly<Record<string, number>> = {
  util: 85,
  model: 90,
  registry: 90,
  storage: 90,
  protocol: 90,
  server: 90,
  client: 90,
  package: 85,
  executor: 85,
  deploy: 85,
  lifecycle: 85,
  cli: 80,
};

interface Count {
  found: number;
  hit: number;
}

/** Lines found and hit by folder of src, from an lcov report. */
function countByFolder(lcov: string): Map<string, Count> {
  const counts = new Map<string, Count>();
  let current: Count | null = null;
  for (const line of lcov.split("\n")) {
    if (line.startsWith("SF:")) {
      const folder = /\/src\/([^/]+)\//.exec(line)?.[1];
      current = null;
      if (folder === undefined) continue;
      current = counts.get(folder) ?? { found: 0, hit: 0 };
      counts.set(folder, current);
    } else if (current !== null && line.startsWith("LF:")) {
      current.found += Number(line.slice(3));
    } else if (current !== null && line.startsWith("LH:")) {
      current.hit += Number(line.slice(3));
    }
  }
  return counts;
}

/** Removes the empty and cut files of processes that tests killed while they wrote; one such file stops the report. */
async function removeUnfinished(dir: string): Promise<void> {
  for await (const { name, isFile } of Deno.readDir(dir)) {
    const path = `${dir}/${name}`;
    if (isFile && !await endsAsWritten(path) && !isJson(await Deno.readTextFile(path))) {
      await Deno.remove(path);
    }
  }
}

/** The last three characters of a whole file; all that is inside of it is indented. */
const END = "]\n}";

/** Whether a file ends as a whole one does: there are too many to parse them all. */
async function endsAsWritten(path: string): Promise<boolean> {
  using file = await Deno.open(path);
  const { size } = await file.stat();
  if (size < END.length) return false;
  await file.seek(-END.length, Deno.SeekMode.End);
  const bytes = new Uint8Array(END.length);
  await file.read(bytes);
  return new TextDecoder().decode(bytes) === END;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The sources, wherever the checkout is. */
const SRC = new URL("../../src/", import.meta.url).href;

async function main(dir: string): Promise<number> {
  await removeUnfinished(dir);
  const report = await new Deno.Command(Deno.execPath(), {
    args: ["coverage", "--lcov", `--include=^${RegExp.escape(SRC)}`, dir],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  const counts = countByFolder(new TextDecoder().decode(report.stdout));
  let low = 0;
  for (const [folder, threshold] of Object.entries(THRESHOLDS)) {
    const { found, hit } = counts.get(folder) ?? { found: 0, hit: 0 };
    const percent = found === 0 ? 0 : 100 * hit / found;
    const fine = percent >= threshold;
    if (!fine) low++;
    const line = `${folder.padEnd(10)} ${percent.toFixed(1).padStart(5)} %  of ${found} lines` +
      `  (at least ${threshold} %)${fine ? "" : "  TOO LOW"}\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(line));
  }
  return low === 0 ? 0 : 1;
}

Deno.exit(await main(Deno.args[0] ?? ".cov"));
