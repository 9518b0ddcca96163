/** The lock of an install root, by its commands alone. */
import { localExecutor } from "../../src/executor/local.ts";
import { hostLayout } from "../../src/deploy/host/layout.ts";
import {
  acquireCommand,
  releaseCommand,
  renewCommand,
} from "../../src/deploy/host/lock/commands.ts";
import type { Bench } from "./support.ts";

/** Nothing is asked besides. */
export const QUESTIONS = {
  releaseDir: "",
  sha256: "",
  user: "",
  commands: [],
  libraries: [],
  serviceType: "",
};

/** Runs one of the lock's commands on this machine and answers what it printed. */
export async function lock(
  bench: Bench,
  token: string,
  what: "acquire" | "renew" | "release",
  ttlSeconds = 60,
): Promise<string> {
  await using executor = localExecutor();
  const place = { layout: hostLayout(bench.root, "web"), token };
  const command = what === "acquire"
    ? acquireCommand(
      place,
      { ttlSeconds, deploymentId: `d-${token}`, since: "2026-01-01T00:00:00.000Z", owner: "a b" },
      QUESTIONS,
    )
    : what === "renew"
    ? renewCommand(place)
    : releaseCommand(place);
  const result = await executor.run(command, { timeoutMs: 60_000 });
  return `${result.stdout}${result.stderr}`;
}

/** The watchdogs that watch over `bench`, by pid. */
export function watchdogs(bench: Bench): number[] {
  return [...Deno.readDirSync("/proc")].flatMap((entry) => {
    try {
      const words = Deno.readTextFileSync(`/proc/${entry.name}/cmdline`).split("\0");
      const at = words.indexOf("harness-guardian");
      return at > 0 && words[at + 1] === bench.root ? [Number(entry.name)] : [];
    } catch {
      return [];
    }
  });
}
