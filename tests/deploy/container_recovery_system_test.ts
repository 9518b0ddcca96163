/** What the host runs when a deployment of a container is cut off after the switch. */
import assert from "node:assert/strict";
import { recoveryScript } from "../../src/deploy/host/recovery.ts";
import { hostLayout } from "../../src/deploy/host/layout.ts";
import { docker, inspect, makeImage, removeAll } from "../helpers/containers.ts";
import { needs } from "../helpers/require.ts";
import { run as runProgram } from "../hosts/docker.ts";
import { Bench, run } from "./support.ts";

Deno.test({
  name: "recovery: restores a container",
  ignore: needs("docker", "busybox"),
  async fn(t) {
    await using bench = new Bench();
    const name = `harness-recover-${crypto.randomUUID().slice(0, 8)}`;
    const tags = [`${name}:1`, `${name}:2`];
    const stay = 'trap "exit 0" TERM; while :; do sleep 0.1; done';
    try {
      for (const tag of tags) await makeImage(tag, `${stay} # ${tag}`);
      for (const [version, image] of [["1.0.0", tags[0]], ["1.1.0", tags[1]]]) {
        const source = await bench.makePackage({
          name,
          version: version ?? "",
          yaml:
            `service: {type: docker_container, image: "${image}"}\nenv: {TEXT: "two\\nlines"}\n`,
        });
        const { host } = await run(bench.plan(source));
        assert.equal(host.outcome, "ok", JSON.stringify(host.error));
      }
      const state = bench.state(name);
      const [before, after] = state.releases;
      assert.ok(before?.spec && after?.spec && before.env !== null);
      const script = recoveryScript({
        place: { layout: hostLayout(bench.root, name), token: "test" },
        stop: { spec: after.spec, unit: false },
        back: {
          dir: before.dir,
          envName: before.env,
          owner: "",
          spec: before.spec,
          unit: false,
          start: true,
        },
        state: { ...state, active: before.id },
      });
      const first = await docker("image", "inspect", "-f", "{{.Id}}", tags[0] ?? "");
      // Whatever the name of its image means by now.
      await docker("tag", tags[1] ?? "", tags[0] ?? "");
      const recover = async () => {
        const { code, stdout, stderr } = await runProgram("sh", ["-c", script]);
        assert.equal(code, 0, `${stdout}${stderr}`);
        assert.equal(await inspect(name, "{{.State.Status}} {{.Image}}"), `running ${first}`);
        const env = await inspect(name, "{{json .Config.Env}}");
        assert.ok(env?.includes('"TEXT=two\\nlines"'), env ?? "");
      };
      await t.step("once", recover);
      await t.step("and once more, as it may be run twice", recover);
      assert.equal(bench.state(name).active, before.id);
    } finally {
      await removeAll([name], tags);
    }
  },
});
