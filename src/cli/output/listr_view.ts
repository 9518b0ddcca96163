/**
 * One moving line per host, on a terminal.
 *
 * @module
 */
import type { HostOutcome } from "../../model/deployment.ts";
import process from "node:process";
import { DefaultRenderer, Listr, ListrLogger, ProcessOutput } from "listr2";
import { visible } from "../../util/terminal_text.ts";
import { noteOf, type Progress, type ProgressView } from "./progress.ts";

const FINE: readonly HostOutcome[] = ["ok"];

/** Listr draws only where stdout is a terminal; ours may go into a file while stderr is one. */
class StderrRenderer extends DefaultRenderer {
  static override nonTTY = true;
}

/** One host's line. */
interface Line {
  title: string;
  /** Ends the line. */
  finish: (outcome: HostOutcome | null) => void;
  /** Takes new text; set once the line is on the screen. */
  retitle: (title: string) => void;
}

/** Draws on a terminal, stderr unless another one is given, until {@linkcode ProgressView.end}. */
export function listrView(
  hosts: readonly string[],
  terminal: NodeJS.WriteStream = process.stderr,
): ProgressView {
  const lines = new Map<string, Line>();
  const startedAt = Date.now();
  const tasks = hosts.map((host) => {
    const { promise, resolve } = Promise.withResolvers<HostOutcome | null>();
    const line: Line = { title: visible(host), finish: resolve, retitle: () => {} };
    lines.set(host, line);
    return {
      title: line.title,
      task: async (_: unknown, task: { title?: string; skip(text?: string): void }) => {
        line.retitle = (title) => task.title = title;
        line.retitle(line.title);
        const outcome = await promise;
        if (outcome === null || outcome === "skipped") task.skip(line.title);
        else if (!FINE.includes(outcome)) throw new Error(outcome);
      },
    };
  });
  const list = new Listr(tasks, {
    concurrent: true,
    exitOnError: false,
    renderer: StderrRenderer,
    registerSignalListeners: false,
    rendererOptions: {
      collapseErrors: true,
      showErrorMessage: false,
      collapseSkips: false,
      // One line per host, however long its text.
      formatOutput: "truncate",
      logger: new ListrLogger({ processOutput: new ProcessOutput(terminal, terminal) }),
    },
  });
  const drawn = list.run();
  return {
    show(progress) {
      const line = progress.host === null ? undefined : lines.get(progress.host);
      if (line === undefined) return;
      line.title = titleOf(progress, Date.now() - startedAt);
      line.retitle(line.title);
      if (progress.step === "finish") line.finish(progress.outcome ?? null);
    },
    async end() {
      for (const line of lines.values()) line.finish(null);
      await drawn;
    },
  };
}

/** `web1  upload  42 %  1.2 MiB of 3 MiB  4 s` */
function titleOf(progress: Progress, elapsedMs: number): string {
  const percent = progress.status === "progress" && progress.percent !== undefined
    ? `${Math.round(progress.percent)} %`
    : progress.outcome ?? (progress.status === "progress" ? "" : progress.status);
  const parts = [progress.host ?? "", progress.step, percent, noteOf(progress)];
  const seconds = `${Math.round(elapsedMs / 1000)} s`;
  return visible([...parts, seconds].filter((part) => part !== "").join("  "));
}
