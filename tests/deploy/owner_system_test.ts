/** Whose the directories of a service are while its releases, each with a user of its own, come and go. */
import assert from "node:assert/strict";
import { deployToHost } from "../../src/deploy/host/deploy.ts";
import { needs } from "../helpers/require.ts";
import { runProgram } from "../helpers/sshd.ts";
import { Bench, run } from "./support.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const KEEPS = `#!/bin/sh
trap 'echo "$HARNESS_VERSION" > "$HARNESS_DATA_DIR/last-$HARNESS_VERSION"; exit 0' TERM
while :; do echo "$HARNESS_VERSION" > "$HARNESS_DATA_DIR/now-$HARNESS_VERSION" || exit 7; sleep 0.2; done
`;

const as = (user: string) => `service: {type: managed_process, user: ${user}}\n`;

/** The ids of users that every machine has. */
async function ids(...users: string[]): Promise<number[]> {
  const found = await Promise.all(users.map((user) => runProgram("id", ["-u", user])));
  return found.map(Number);
}

function owners(bench: Bench): (number | null)[] {
  return ["shared", "log"].map((name) => Deno.lstatSync(`${bench.base()}/${name}`).uid);
}

Deno.test({
  name: "deploy(): the user of the service owns its data",
  ignore: needs("root"),
  async fn(t) {
    await using bench = new Bench();
    Deno.chmodSync(bench.dir, 0o755);
    const [nobody = 0, daemon = 0] = await ids("nobody", "daemon");
    const package_ = (version: string, user: string | null, start = KEEPS) =>
      bench.makePackage({ version, start, ...(user === null ? {} : { yaml: as(user) }) });
    const first = await run(bench.plan(await package_("1.0.0", "nobody")));
    assert.equal(first.host.outcome, "ok", JSON.stringify(first.host));
    assert.deepEqual(owners(bench), [nobody, nobody]);
    await t.step("a release of another user that fails leaves it to the old one", async () => {
      const sick = await package_("2.0.0", "daemon", "#!/bin/sh\nexit 3\n");
      const { host } = await run(bench.plan(sick));
      assert.equal(host.outcome, "rolled_back", JSON.stringify(host));
      assert.deepEqual(owners(bench), [nobody, nobody]);
      assert.deepEqual(bench.running(), ["1.0.0"]);
      // Stopped before the data went to the other user: what it writes at its end is there.
      assert.equal(Deno.readTextFileSync(`${bench.base()}/shared/last-1.0.0`), "1.0.0\n");
    });
    await t.step("one that cannot be configured does not touch it", async () => {
      const other = await package_("2.1.0", "daemon");
      const plan = bench.plan(other);
      const cancel = new AbortController();
      const result = await deployToHost(plan, bench.target(), {
        signal: cancel.signal,
        report: ({ step, status }) => {
          if (step === "configure" && status === "done") cancel.abort(new Error("enough"));
        },
      });
      assert.equal(result.outcome, "cancelled", JSON.stringify(result));
      assert.deepEqual(owners(bench), [nobody, nobody]);
    });
    await t.step("one that works has it, and a rollback gives it back", async () => {
      const next = await run(bench.plan(await package_("3.0.0", "daemon")));
      assert.equal(next.host.outcome, "ok", JSON.stringify(next.host));
      assert.deepEqual(owners(bench), [daemon, daemon]);
      const back = await run(bench.rollback());
      assert.equal(back.host.outcome, "ok", JSON.stringify(back.host));
      assert.deepEqual(owners(bench), [nobody, nobody]);
      await untilPasses(() => assert.deepEqual(bench.running(), ["1.0.0"]));
    });
    await t.step("one without a user takes it back", async () => {
      const { host } = await run(bench.plan(await package_("4.0.0", null)));
      assert.equal(host.outcome, "ok", JSON.stringify(host));
      assert.deepEqual(owners(bench), [0, 0]);
    });
  },
});
