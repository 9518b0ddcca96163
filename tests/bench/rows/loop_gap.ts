/** How long the event loop gets no turn while many changes are written, snapshots included. */
import { load, request } from "../load_client.ts";
import { startProduct } from "../product.ts";
import type { Row } from "../row.ts";
import type { Scope } from "../scope.ts";

const SERVICES = 10_000;
const CHANGES_PER_SECOND = 5000;
const SCRIPT = new URL("../loop_gap.ts", import.meta.url).pathname;

/** What loop_gap.ts writes. */
interface Gap {
  readonly gap_ms: number;
  readonly waited_ms: number;
}

/** The longest gap of a process that has loop_gap.ts, since it was asked last. */
class GapReader {
  readonly file: string;
  constructor(scope: Scope) {
    this.file = scope.path("gap");
  }

  async take(pid: number): Promise<Gap> {
    await Deno.remove(this.file).catch(() => {});
    Deno.kill(pid, "SIGUSR2");
    for (;;) {
      const text = await Deno.readTextFile(this.file).catch(() => null);
      if (text !== null) return JSON.parse(text);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Row 14. */
export const rows: readonly Row[] = [{
  number: 14,
  name: "loop-gap",
  limit: "64 clients that connect at once; collection of garbage; processors that others have",
  targets: [
    {
      title: "longest gap, 10,000 services, 5,000 changes/s",
      unit: "ms",
      figure: "ours.gap_ms",
      atMost: 10,
      takes: "worst",
    },
    {
      title: "… of it, waiting for a processor",
      unit: "ms",
      figure: "ours.waited_ms",
      takes: "worst",
    },
    {
      title: "… of a process that does nothing meanwhile",
      unit: "ms",
      figure: "ours.idle_gap_ms",
      takes: "worst",
    },
    { title: "… changes made meanwhile", unit: "/s", figure: "ours.rate" },
  ],
  async setUp(scope, stack) {
    const [ours, idle] = [new GapReader(scope), new GapReader(scope)];
    const server = stack.use(
      await startProduct(scope, {
        services: SERVICES,
        permissions: ["-A"],
        runtimeFlags: [`--preload=${SCRIPT}`],
        env: { BENCH_GAP_FILE: ours.file },
      }),
    );
    const args = ["run", "-A", SCRIPT];
    const env = { BENCH_GAP_FILE: idle.file };
    const other = stack.use(await scope.start(Deno.execPath(), args, { env }));
    return [{
      name: "ours",
      async measure() {
        await ours.take(server.pid);
        await idle.take(other.pid);
        const { rate } = await load(scope, "requests", {
          server,
          connections: 64,
          rate: CHANGES_PER_SECOND,
          frame: request("update_service", { name: "service-{n}", version: "1.1.{v}" }),
          names: SERVICES,
          seconds: 4,
        });
        const gap = await ours.take(server.pid);
        return { rate, ...gap, idle_gap_ms: (await idle.take(other.pid)).gap_ms };
      },
    }];
  },
}];
