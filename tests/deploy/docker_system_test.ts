import assert from "node:assert/strict";
import { localExecutor } from "../../src/executor/local.ts";
import type { DeployPackage } from "../../src/deploy/plan.ts";
import { docker, inspect, makeImage, removeAll } from "../helpers/containers.ts";
import { needs } from "../helpers/require.ts";
import { Bench, type PackageOptions, run } from "./support.ts";

/** A name that no other test run on this machine has: of the service, the container and the images. */
const NAME = `harness-deploy-test-${crypto.randomUUID().slice(0, 8)}`;

async function sh(script: string, ...args: string[]): Promise<string> {
  await using executor = localExecutor();
  const result = await executor.run({ script, args });
  assert.equal(result.exitCode, 0, result.stderr);
  return result.stdout.trim();
}

/** A package that brings its own image, so that nothing is pulled. */
function withImage(
  bench: Bench,
  version: string,
  script: string,
  more: Pick<PackageOptions, "yaml" | "files"> = {},
): Promise<DeployPackage> {
  return bench.makePackage({
    name: NAME,
    version,
    ...more,
    yaml: `service: {type: docker_container, image: "${NAME}:${version}"}\n${more.yaml ?? ""}`,
    prepare: async (tree) => {
      await sh(
        `root=$(mktemp -d) && mkdir "$root/bin" && cp "$(command -v busybox)" "$root/bin/busybox" &&
         for a in sh sleep echo; do ln -s busybox "$root/bin/$a"; done && printf '%s\\n' "$3" > "$root/main.sh" &&
         tar -C "$root" -c . | docker import -c 'CMD ["/bin/sh", "/main.sh"]' - "$2" && rm -rf "$root" &&
         docker save -o "$1/image.tar" "$2" && chmod 644 "$1/image.tar" && docker rmi "$2"`,
        tree,
        `${NAME}:${version}`,
        script,
      );
    },
  });
}

async function runningImage(): Promise<string> {
  return await sh('docker inspect -f "{{.State.Running}} {{.Config.Image}}" "$1"', NAME);
}

Deno.test({
  name: "deploy(): an image in the package, replaced and back",
  ignore: needs("docker", "busybox"),
  async fn() {
    await using bench = new Bench();
    const stay = 'trap "exit 0" TERM; while :; do sleep 0.1; done';
    try {
      const one = await run(bench.plan(await withImage(bench, "1.0.0", stay)));
      assert.equal(one.host.outcome, "ok", JSON.stringify(one.host.error));
      assert.notEqual(one.host.service?.status.containerId ?? null, null);
      assert.equal(await runningImage(), `true ${NAME}:1.0.0`);
      const bad = await run(bench.plan(await withImage(bench, "1.1.0", "echo no config; exit 3")));
      assert.equal(bad.host.outcome, "rolled_back", JSON.stringify(bad.host.error));
      assert.match(JSON.stringify(bad.host.error), /no config/);
      assert.equal(await runningImage(), `true ${NAME}:1.0.0`);
      // Its health script looks at nothing, and docker starts it again all the time.
      const short = await withImage(bench, "1.1.1", "sleep 1; exit 3", {
        yaml: "restart: {policy: always}\nhealth: {script: scripts/health.sh}\n",
        files: { "scripts/health.sh": "#!/bin/sh\nexit 0\n" },
      });
      const gone = await run(bench.plan(short, { timing: { settleMs: 4_000 } }));
      assert.equal(gone.host.outcome, "rolled_back");
      // On a machine that is so busy it may have ended before its start was seen.
      assert.match(gone.host.step ?? "", /^(start|health)$/);
      assert.equal(gone.host.error?.code, "deploy_failed");
      assert.equal(await runningImage(), `true ${NAME}:1.0.0`);
      const two = await run(bench.plan(await withImage(bench, "1.2.0", stay)));
      assert.equal(two.host.outcome, "ok", JSON.stringify(two.host.error));
      assert.equal(await runningImage(), `true ${NAME}:1.2.0`);
      const back = await run(bench.rollback(undefined, { package: { name: NAME } }));
      assert.equal(back.host.outcome, "ok", JSON.stringify(back.host.error));
      assert.equal(await runningImage(), `true ${NAME}:1.0.0`);
      bench.assertClean(NAME);
    } finally {
      await sh(
        'docker rm -f "$1" >/dev/null 2>&1; for v in 1.0.0 1.1.0 1.2.0; do docker rmi -f "$1:$v" >/dev/null 2>&1; done; :',
        NAME,
      );
    }
  },
});

Deno.test({
  name: "rollback: runs the image that was deployed",
  ignore: needs("docker", "busybox"),
  async fn() {
    await using bench = new Bench();
    const name = `${NAME}-tag`;
    const tag = `${name}:stable`;
    const stay = 'trap "exit 0" TERM; while :; do sleep 0.1; done';
    const packageOf = (version: string) =>
      bench.makePackage({
        name,
        version,
        yaml: `service: {type: docker_container, image: "${tag}"}\n`,
      });
    const image = () => inspect(name, "{{.Image}}");
    try {
      await makeImage(tag, stay);
      const first = await docker("image", "inspect", "-f", "{{.Id}}", tag);
      const one = await run(bench.plan(await packageOf("1.0.0")));
      assert.equal(one.host.outcome, "ok", JSON.stringify(one.host.error));
      assert.equal(one.host.service?.status.imageId, first);
      // As the version before recorded it: the image is learnt from the container that runs.
      await forgetImage(bench, name);
      // As whoever builds the next one does: the old image is there, but nothing names it.
      await makeImage(tag, `${stay} # next`);
      const two = await run(bench.plan(await packageOf("1.1.0")));
      assert.equal(two.host.outcome, "ok", JSON.stringify(two.host.error));
      assert.notEqual(await image(), first);
      const back = await run(bench.rollback(undefined, { package: { name } }));
      assert.equal(back.host.outcome, "ok", JSON.stringify(back.host.error));
      assert.equal(await image(), first);
      await docker("rm", "-f", name);
      const forth = await run(bench.rollback(undefined, { package: { name, version: "1.1.0" } }));
      assert.equal(forth.host.outcome, "ok", JSON.stringify(forth.host.error));
      // Nobody needs the first one any more, and it is cleared away.
      await docker("rmi", first);
      const gone = await run(bench.rollback(undefined, { package: { name, version: "1.0.0" } }));
      assert.equal(gone.host.outcome, "rolled_back", JSON.stringify(gone.host));
      assert.match(
        gone.host.error?.message ?? "",
        /the image sha256:\S+, which 1\.0\.0 was deployed with as \S+:stable, is not on this machine any more/,
      );
      assert.equal(await inspect(name, "{{.State.Status}}"), "running");
      assert.notEqual(await image(), first);
    } finally {
      await removeAll([name], [tag]);
    }
  },
});

async function forgetImage(bench: Bench, name: string): Promise<void> {
  const file = `${bench.base(name)}/state.json`;
  const text = await Deno.readTextFile(file);
  const without = text.replace(/,\n *"imageId": "sha256:[0-9a-f]+"/, "");
  assert.notEqual(without, text);
  await Deno.writeTextFile(file, without);
}

Deno.test({
  name: "preflight: a container of the name is refused",
  ignore: needs("docker", "busybox"),
  async fn(t) {
    await using bench = new Bench();
    const name = `${NAME}-taken`;
    const tag = `${name}:1`;
    const health = "health: {script: scripts/health.sh, retries: 1, interval: 100ms}\n";
    const source = await bench.makePackage({
      name,
      yaml: `service: {type: docker_container, image: "${tag}"}\n${health}`,
      files: { "scripts/health.sh": "#!/bin/sh\nexit 2\n" },
    });
    const about = () => inspect(name, "{{.Id}} {{.State.Status}} {{.State.StartedAt}}");
    const refused = async (words: RegExp) => {
      const before = await about();
      const { host } = await run(bench.plan(source));
      assert.deepEqual([host.outcome, host.step], ["failed", "preflight"], JSON.stringify(host));
      assert.equal(host.error?.code, "conflict");
      assert.equal(host.error?.details?.reason, "occupied");
      assert.match(host.error?.message ?? "", words);
      assert.equal(await about(), before);
      await docker("rm", "-f", name);
    };
    try {
      await makeImage(tag, 'trap "exit 0" TERM; while :; do sleep 0.1; done');
      await t.step("somebody's, which runs", async () => {
        await docker("run", "-d", "--name", name, tag);
        await refused(/not one of harness-ws-server's/);
      });
      await t.step("somebody's, which was never started", async () => {
        await docker("create", "--name", name, tag);
        await refused(/not one of harness-ws-server's/);
      });
      await t.step("of another install root", async () => {
        const labels = [`service=${name}`, "root=/srv/A", "print=1", "run=1"];
        const args = labels.flatMap((label) => ["--label", `harness.${label}`]);
        await docker("run", "-d", "--name", name, ...args, tag);
        await refused(/installed under \/srv\/A/);
      });
    } finally {
      await removeAll([name], [tag]);
    }
  },
});
