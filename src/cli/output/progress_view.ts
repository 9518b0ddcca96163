/**
 * Progress of a running deployment: one moving line per host on a terminal, plain lines elsewhere, JSON for programs.
 *
 * @module
 */
import { visible } from "../../util/terminal_text.ts";
import type { Io } from "../context.ts";
import { colorOf, paint, printJson } from "./table.ts";
import { noteOf, type Progress, type ProgressView } from "./progress.ts";

/** The view that suits the output. `hosts` are those known beforehand. */
export async function openProgressView(
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
