/**
 * `watch` on a terminal: the table of services, drawn anew with each change and each second.
 *
 * @module
 */
import type { ClientStatus } from "../../client/mod.ts";
import { EVENT_TYPES } from "../../model/event.ts";
import type { ServiceEntry } from "../../model/service.ts";
import type { Io } from "../context.ts";
import { withoutStyles } from "../output/styles.ts";
import type { Session } from "../session/connect.ts";
import { FullScreen, readsKeys, screenSize } from "./full_screen.ts";
import { ServiceBoard } from "./service_board.ts";

/** Ages tick in seconds. */
const TICK_MS = 1000;
/** Drawn at most so often, however many events there are. */
const REDRAW_MS = 100;

/** Events that change a row. */
const SHOWN_EVENTS = EVENT_TYPES.filter((type) => type !== "deployment_progress");

/** Options for {@linkcode watchTable}. */
export interface WatchTableOptions {
  /** Ids, names or globs; all when there are none. */
  names: readonly string[];
  /** Which of them are shown. */
  wants: (entry: ServiceEntry) => boolean;
  /** More columns, and full times. */
  wide: boolean;
  /** Called with what to tell of the connection's status. */
  onStatus: (listener: (status: ClientStatus) => void) => void;
}

/** Shows the table until Ctrl-C or `q`; leaves its last picture above the prompt. */
export async function watchTable(
  io: Io,
  session: Session,
  options: WatchTableOptions,
): Promise<void> {
  const { names, wants, wide, onStatus } = options;
  const board = new ServiceBoard({
    title: session.flags.url,
    wants,
    wide,
    color: io.color,
    hasKeys: readsKeys(),
  });
  const quit = new AbortController();
  const stream = session.client.events({
    events: SHOWN_EVENTS,
    snapshot: true,
    signal: AbortSignal.any([io.interrupted, io.outputClosed, quit.signal]),
    ...(names.length === 0 ? {} : { services: names }),
  });
  // Refused before anything is drawn: the error is printed as that of any command.
  await stream.ready;
  {
    using picture = new Picture(io, board, quit);
    onStatus((status) => {
      board.setTrouble(troubleOf(status));
      picture.redraw();
    });
    for await (const item of stream) {
      if (item.kind === "snapshot") board.load(item.services);
      else if (item.kind === "event") board.apply(item);
      picture.redraw();
    }
  }
  for (const line of board.lines(screenSize(io))) {
    if (withoutStyles(line) !== "") io.out(`${line}\n`);
  }
  io.interrupted.throwIfAborted();
}

/** The screen with the board on it. */
class Picture implements Disposable {
  readonly #io: Io;
  readonly #board: ServiceBoard;
  readonly #screen: FullScreen;
  readonly #ticks: ReturnType<typeof setInterval>;
  #pending: ReturnType<typeof setTimeout> | undefined;

  constructor(io: Io, board: ServiceBoard, quit: AbortController) {
    this.#io = io;
    this.#board = board;
    this.#screen = new FullScreen(io, {
      onKey: (key) => {
        if (key === "q" || key === "Q") quit.abort();
        else if (board.press(key)) this.#draw();
      },
      onResize: () => this.#draw(),
    });
    this.#ticks = setInterval(() => this.#draw(), TICK_MS);
    this.#draw();
  }

  /** Draws soon. */
  redraw(): void {
    this.#pending ??= setTimeout(() => this.#draw(), REDRAW_MS);
  }

  #draw(): void {
    clearTimeout(this.#pending);
    this.#pending = undefined;
    const size = screenSize(this.#io);
    this.#screen.draw(this.#board.lines(size), size);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#ticks);
    clearTimeout(this.#pending);
    this.#screen[Symbol.dispose]();
  }
}

/** What is wrong with the connection; `null` when it is fine. */
function troubleOf(status: ClientStatus): string | null {
  switch (status.type) {
    case "disconnected":
      return `connection lost (${status.code}${
        status.reason && ` ${status.reason}`
      }), reconnecting`;
    case "reconnecting":
      return `connection lost, attempt ${status.attempt} to reconnect`;
    case "draining":
      return `the server is shutting down: ${status.reason}`;
    default:
      return null;
  }
}
