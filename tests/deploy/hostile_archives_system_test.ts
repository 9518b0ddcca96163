/**
 * Hostile archives that reached a host after all: refused there, with GNU tar and with BusyBox alone. Nothing is
 * written outside, nothing is left, and the version that ran still runs.
 */
import type { HostTarget } from "../../src/deploy/plan.ts";
import { needs } from "../helpers/require.ts";
import { startBusyBoxHost } from "../helpers/busybox_host.ts";
import { Bench, connectTo } from "./support.ts";
import { refuseAll } from "./hostile_archives_fixture.ts";

Deno.test({
  name: "a host with nothing but BusyBox and dropbear refuses every hostile archive",
  ignore: needs("busybox", "dropbear", "root"),
  async fn() {
    await using bench = new Bench();
    await using host = await startBusyBoxHost();
    const target: HostTarget = {
      label: "small",
      installRoot: "/opt",
      connect: connectTo(host),
    };
    await refuseAll(bench, target, { seenRoot: `${host.root}/opt`, outside: host.root });
  },
});
