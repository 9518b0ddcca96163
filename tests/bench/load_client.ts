/**
 * The load client: `load/load.c`, built where there are Linux and a C compiler, else `load/load.ts` under Deno, which
 * takes more processor time and so reaches less.
 */
import { built } from "../helpers/build_cache.ts";
import type { Figures } from "./row.ts";
import type { Scope } from "./scope.ts";

/** What one run measured. Waits are those for an answer, a full delivery, or a new connection. */
export interface LoadReport extends Figures {
  /** Answers or deliveries. */
  readonly count: number;
  readonly seconds: number;
  readonly rate: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
  /** What the load client used of one processor meanwhile, in percent. */
  readonly client_cpu: number;
  /** What the server used. */
  readonly server_cpu: number;
}

/** Options of the load client; `load/load.c` says what they mean. */
export interface LoadOptions {
  readonly server: { readonly port: number; readonly pid: number };
  readonly connections?: number;
  readonly inFlight?: number;
  /** `{id}` becomes the request's slot, `{n}` a number below `names` (`07`), `{v}` the number of the request. */
  readonly frame?: string;
  readonly subscribe?: string;
  readonly seconds?: number;
  /** Stops after so many requests instead of after `seconds`. */
  readonly count?: number;
  /** Requests a second of all connections together; as fast as they are answered without it. */
  readonly rate?: number;
  readonly names?: number;
  /** Events that each client waits for. */
  readonly events?: number;
}

const SOURCES = new URL("./load/", import.meta.url).pathname;

let program: Promise<readonly string[]> | undefined;
let language = "C";

/** What the load client of this run is written in. */
export function loadClientLanguage(): string {
  return language;
}

/** Command that runs the load client. */
function command(scope: Scope): Promise<readonly string[]> {
  return program ??= (async () => {
    try {
      if (Deno.build.os !== "linux") throw new Error("it needs Linux");
      const dir = await built(
        { name: "load", sources: SOURCES, extra: Deno.build.arch },
        async (to) => {
          const files = ["-o", `${to}/load`, `${to}/load.c`, `${to}/ws.c`];
          await scope.run("cc", ["-O2", ...files]);
        },
      );
      return [`${dir}/load`];
    } catch (error) {
      scope.signal.throwIfAborted();
      language = "TypeScript";
      const why = error instanceof Error ? error.message : String(error);
      const text = `The load client in C cannot be built (${why}); Deno's has less reach.\n`;
      Deno.stderr.writeSync(new TextEncoder().encode(text));
      return [Deno.execPath(), "run", "-A", `${SOURCES}load.ts`];
    }
  })();
}

/** Runs it once; an error among the answers or a closed connection is an error here. */
export async function load(
  scope: Scope,
  mode: "requests" | "fanout" | "resume",
  { server, ...options }: LoadOptions,
): Promise<LoadReport> {
  const [program = "", ...before] = await command(scope);
  const args = Object.entries({ ...options, port: server.port, pid: server.pid }).flatMap((
    [name, value],
  ) => [
    `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    String(value),
  ]);
  return JSON.parse(await scope.run(program, [...before, mode, ...args]));
}

/** A request as the load client sends it. */
export function request(action: string, params: unknown = {}): string {
  return JSON.stringify({ id: "{id}", type: "request", action, params });
}
