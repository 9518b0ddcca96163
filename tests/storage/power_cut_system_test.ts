import { survivePowerCuts } from "./power_cuts.ts";

/** Different workloads, besides that of the quick test; a longer search by the environment. */
const RUNS = Number(Deno.env.get("HARNESS_POWER_CUT_RUNS") ?? 4);

Deno.test("FileStore: power cuts of further workloads lose nothing", async () => {
  await survivePowerCuts(Array.from({ length: RUNS - 1 }, (_, i) => i + 1));
});
