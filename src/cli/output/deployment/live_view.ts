/**
 * A deployment on a terminal: one moving line per host, and counts where there are more hosts than lines.
 *
 * @module
 */
import process from "node:process";
import type { Io } from "../../context.ts";
import { cutText, hostLine, hostWidthFor, type LineLayout } from "./host_line.ts";
import { HostProgress } from "./host_progress.ts";
import type { ProgressView } from "./progress.ts";
import type { Screen, TerminalSize } from "../screen.ts";
import { colorOf, paint } from "../table.ts";

/** How often the lines are redrawn: often enough to be seen moving. */
const FRAME_MS = 120;

/** Shows the deployment on `screen` until {@linkcode ProgressView.end}. */
export function liveView(io: Io, screen: Screen, names: readonly string[]): ProgressView {
  const hosts = new Map(names.map((name) => [name, new HostProgress(name)]));
  const lines = new DeploymentLines(io, [...hosts.values()]);
  let frame = 0;
  const draw = () => screen.draw(lines.at(screen.size, performance.now(), frame++));
  // After Ctrl-Z and `fg` the shell has written below the lines: they begin anew.
  const continued = () => screen.release();
  const canStop = process.platform !== "win32";
  if (canStop) process.on("SIGCONT", continued);
  draw();
  const timer = setInterval(draw, FRAME_MS);
  return {
    show(progress) {
      if (progress.host !== null) hosts.get(progress.host)?.take(progress, performance.now());
    },
    end(how = "kept") {
      clearInterval(timer);
      if (canStop) process.off("SIGCONT", continued);
      if (how === "kept") draw();
      else screen.draw([]);
      screen.release();
    },
  };
}

/** The lines of a deployment, as many as fit. */
class DeploymentLines {
  readonly #io: Pick<Io, "errColor" | "unicode">;
  readonly #hosts: readonly HostProgress[];

  /** Lines of these hosts, in this order. */
  constructor(io: Pick<Io, "errColor" | "unicode">, hosts: readonly HostProgress[]) {
    this.#io = io;
    this.#hosts = hosts;
  }

  /** The lines now. */
  at(size: TerminalSize, now: number, frame: number): string[] {
    // The last column stays free, so that no terminal wraps, and the last row is the cursor's.
    const columns = Math.max(1, size.columns - 1);
    const rows = Math.max(1, size.rows - 1);
    const { errColor: color, unicode } = this.#io;
    const all = this.#hosts.length <= rows;
    const shown = all ? this.#hosts : this.#mostTelling(rows - 1);
    const hostWidth = hostWidthFor(shown.map(({ host }) => host), columns);
    const layout: LineLayout = { columns, hostWidth, color, unicode };
    const lines = shown.map((host) => hostLine(host, layout, { now, frame }));
    return all ? lines : [this.#counts(columns), ...lines];
  }

  /** Those under way, then those that failed, then those that ended last, in the order of the deployment. */
  #mostTelling(rows: number): HostProgress[] {
    const rank = (host: HostProgress) => {
      if (host.endedAt === null) return host.step === null ? 3 : 0;
      return host.outcome === "ok" ? 2 : 1;
    };
    const ranked = [...this.#hosts].sort((a, b) => {
      return rank(a) - rank(b) || (b.endedAt ?? 0) - (a.endedAt ?? 0);
    });
    const chosen = new Set(ranked.slice(0, rows));
    return this.#hosts.filter((host) => chosen.has(host));
  }

  /** `200 hosts: 40 ok, 1 failed, 10 under way, 149 waiting` */
  #counts(columns: number): string {
    const counts = new Map<string, number>();
    for (const { outcome, endedAt, step } of this.#hosts) {
      const word = endedAt === null ? step === null ? "waiting" : "under way" : outcome ?? "done";
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    const last = ["under way", "waiting"];
    const words = [...counts.keys()].sort((a, b) => last.indexOf(a) - last.indexOf(b));
    let line = cutText(`${this.#hosts.length} hosts:`, columns);
    let width = line.length;
    for (const [index, word] of words.entries()) {
      const part = ` ${counts.get(word)} ${word}${index === words.length - 1 ? "" : ","}`;
      width += part.length;
      if (width > columns) break;
      line += paint(part, colorOf(word), this.#io.errColor);
    }
    return line;
  }
}
