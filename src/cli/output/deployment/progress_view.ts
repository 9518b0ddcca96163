/**
 * Progress of a running deployment: one moving line per host on a terminal, plain lines elsewhere, JSON for programs.
 *
 * @module
 */
import { visible } from "../../../util/terminal_text.ts";
import type { Io } from "../../context.ts";
import { colorOf, paint, printJson } from "../table.ts";
import { trace } from "../notes.ts";
import { noteOf, type Progress, type ProgressView } from "./progress.ts";

/** The view that suits the output. `hosts` are those known beforehand. */
export async function openProgressView(
  io: Io,
  hosts: readonly string[],
  options: { json: boolean },
): Promise<ProgressView> {
  const view = await chooseView(io, hosts, options);
  return io.verbose ? withDurations(io, view) : view;
}

async function chooseView(
  io: Io,
  hosts: readonly string[],
  options: { json: boolean },
): Promise<ProgressView> {
  if (io.quiet) return { show: () => {}, end: () => {} };
  if (options.json) return { show: (progress) => printJson(io, progress), end: () => {} };
  if (io.screen === null) return plainView(io, hosts);
  const { liveView } = await import("./live_view.ts");
  return liveView(io, io.screen, hosts);
}

/** With `--verbose`: how long each step took on each host. */
function withDurations(io: Io, view: ProgressView): ProgressView {
  const beganAt = new Map<string, number>();
  return {
    show(progress) {
      const { host, step, status, at } = progress;
      const key = `${host}: ${step}`;
      if (status === "started") beganAt.set(key, Date.parse(at));
      const began = beganAt.get(key);
      if (status !== "started" && status !== "progress" && began !== undefined) {
        trace(io, `${key} ${status} after ${(Date.parse(at) - began) / 1000} s`);
        beganAt.delete(key);
      }
      view.show(progress);
    },
    end: (how) => view.end(how),
  };
}

/** One line for every step that ended, and for the start of those that take long. */
function plainView(io: Io, hosts: readonly string[]): ProgressView {
  const width = Math.max(8, ...hosts.map((host) => host.length));
  return {
    show(progress) {
      if (progress.host === null || !worthALine(progress)) return;
      const status = progress.outcome ?? progress.status;
      const cells = [
        visible(progress.host).padEnd(width),
        visible(progress.step).padEnd(9),
        paint(visible(status).padEnd(7), colorOf(status), io.errColor),
        // The step that failed has reported why; a host that was not begun had no step.
        progress.step === "finish" && progress.status !== "skipped"
          ? ""
          : visible(noteOf(progress)),
      ];
      io.err(`${cells.join("  ").trimEnd()}\n`);
    },
    end: () => {},
  };
}

function worthALine(progress: Progress): boolean {
  if (progress.status === "progress") return false;
  if (progress.status !== "started") return true;
  return ["upload", "start", "health", "rollback"].includes(progress.step);
}
