/** Portable services on a real systemd with a real portablectl, over real SSH. */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { createController } from "../../src/lifecycle/controller.ts";
import type { Controller } from "../../src/lifecycle/service_spec.ts";
import { startHost, type TestHost } from "../hosts/hosts.ts";
import { needs } from "../helpers/require.ts";
import { untilPasses } from "../helpers/raw_client.ts";

/** $1 directory of the image  $2 unit without its suffix, and the only prefix  $3 what the service says. */
const MAKE_IMAGE = `set -eu
image=$1 unit=$2 says=$3
for dir in usr/bin usr/lib/systemd/system usr/lib64 etc proc sys dev run tmp var/tmp root; do
  mkdir -p "$image/$dir"
done
for dir in bin lib lib64; do ln -s "usr/$dir" "$image/$dir"; done
for program in /bin/sh /bin/sleep; do
  cp -L "$program" "$image$program"
  ldd "$program" | grep -o '/[^ ]*' | while read -r lib; do
    mkdir -p "$image$(dirname "$lib")"
    cp -L "$lib" "$image$lib"
  done
done
printf 'ID=%s\\nVERSION_ID=1\\nPORTABLE_PREFIXES=%s\\n' "$unit" "$unit" > "$image/usr/lib/os-release"
ln -s ../usr/lib/os-release "$image/etc/os-release"
: > "$image/etc/resolv.conf"
: > "$image/etc/machine-id"
echo "$says" > "$image/etc/says"
cat > "$image/usr/lib/systemd/system/$unit.service" <<'UNIT'
[Service]
ExecStart=/bin/sh -c 'read -r says < /etc/says; echo "I am $says"; while :; do sleep 0.2; done'
UNIT
`;

function portable(executor: Executor, image: string, unit: string): Controller {
  return createController(executor, {
    name: "portable",
    version: "1.0.0",
    execution: { type: "systemd_portable", image, unit },
    workDir: "/opt",
    envFile: null,
    runDir: "/opt/run",
    logDir: "/opt/log",
    ports: [],
    health: null,
    restart: { policy: "no", maxRetries: 0, backoffMs: 200 },
    stop: { signal: "TERM", timeoutMs: 5_000 },
  });
}

async function makeImage(
  executor: Executor,
  image: string,
  unit: string,
  says: string,
): Promise<void> {
  const made = await executor.run({ script: MAKE_IMAGE, args: [image, unit, says] });
  assert.equal(made.exitCode, 0, made.stderr);
}

async function refused(
  controller: Controller,
  expected: RegExp,
  code = "unavailable",
): Promise<void> {
  const error = await controller.start().then(() => assert.fail("it started"), (error) => error);
  assert.ok(error instanceof HarnessError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, expected);
}

async function attachedUnits(host: TestHost): Promise<string[]> {
  const { stdout } = await host.sh(
    "cd /etc/systemd/system.attached 2>/dev/null && ls -d *.service",
  );
  return stdout.split("\n").filter((line) => line !== "");
}

/** The process has the image as its root, not the host: true a moment after systemd made it. */
async function seesImage(host: TestHost, pid: number | null, says: string): Promise<void> {
  await untilPasses(async () => {
    const { stdout } = await host.sh(`cat /proc/${pid}/root/etc/says`);
    assert.equal(stdout, `${says}\n`);
  });
}

async function wrongImages(host: TestHost, executor: Executor): Promise<void> {
  await host.sh("mkdir -p /opt/empty/usr/lib; echo no > /opt/file.raw");
  await makeImage(executor, "/opt/first/shop", "shop", "the first shop");
  const cases: [string, string, RegExp][] = [
    ["/no/image", "shop.service", /image \/no\/image cannot be read: .*No such file/],
    ["noimage", "shop.service", /image noimage cannot be read: .*No image 'noimage' found/],
    ["/opt/empty", "shop.service", /image \/opt\/empty cannot be read: .*os-release/],
    ["/opt/file.raw", "shop.service", /image \/opt\/file\.raw cannot be read/],
    ["/opt/first/shop", "ghost.service", /image \/opt\/first\/shop has no unit ghost\.service/],
  ];
  for (const [image, unit, expected] of cases) {
    await refused(portable(executor, image, unit), expected);
  }
  assert.deepEqual(await attachedUnits(host), [], "a refused image is not left attached");
}

async function runs(host: TestHost, executor: Executor): Promise<void> {
  const controller = portable(executor, "/opt/first/shop", "shop.service");
  const started = await controller.start();
  assert.ok(started.running && started.pid !== null, started.detail);
  assert.deepEqual(await attachedUnits(host), ["shop.service"]);
  await seesImage(host, started.pid, "the first shop");
  assert.deepEqual(await controller.status(), started);
  assert.equal((await controller.start()).pid, started.pid, "a second start changes nothing");
  await untilPasses(async () =>
    assert.ok((await controller.logs(20)).includes("I am the first shop"))
  );

  const stopped = await controller.stop();
  assert.deepEqual([stopped.running, stopped.pid, stopped.asked], [false, null, true]);
  assert.equal((await controller.status()).running, false);
  assert.notEqual((await host.sh(`kill -0 ${started.pid}`)).code, 0, "its process is gone");

  const again = await controller.start();
  assert.ok(again.running && again.pid !== started.pid, again.detail);
}

/** `portablectl is-attached` calls all of these attached once `shop` is. */
async function namesAlike(host: TestHost, executor: Executor): Promise<void> {
  await makeImage(executor, "/opt/second/shop", "shop", "the second shop");
  await makeImage(executor, "/var/lib/portables/shop2", "shop2", "another shop");
  const second = portable(executor, "/opt/second/shop", "shop.service");
  const first = portable(executor, "/opt/first/shop", "shop.service");
  const belongs =
    /shop\.service is taken: .*belongs to the image \/opt\/first\/shop, not to \/opt\/second\/shop/;
  await refused(second, belongs, "conflict");
  assert.ok((await first.status()).running, "the first one is left alone");
  const other = portable(executor, "shop2", "shop2.service");
  const { pid } = await other.start();
  assert.equal((await other.start()).pid, pid, "an image given by name is known again");
  assert.equal((await other.stop()).running, false);

  await first.stop();
  await refused(second, belongs, "conflict");
  assert.equal((await host.sh("portablectl detach /opt/first/shop")).code, 0);
  const started = await second.start();
  await seesImage(host, started.pid, "the second shop");
  await second.stop();
}

/** Nothing of others is taken for the image's unit, and a start that did not work leaves nothing attached. */
async function strangers(host: TestHost, executor: Executor): Promise<void> {
  await makeImage(executor, "/var/lib/portables/store", "store", "the store");
  await makeImage(executor, "/opt/elsewhere/store", "store", "another store");
  assert.equal((await host.sh("portablectl attach /opt/elsewhere/store")).code, 0);
  await refused(
    portable(executor, "store", "store.service"),
    /belongs to the image \/opt\/elsewhere\/store, not to store/,
    "conflict",
  );
  assert.equal((await host.sh("portablectl detach /opt/elsewhere/store")).code, 0);
  await host.sh(
    `printf '[Service]\\nExecStart=/bin/sleep 100000\\n' > /etc/systemd/system/store.service
systemctl daemon-reload; systemctl start store`,
  );
  const id = "systemctl show -p InvocationID --value store";
  const before = (await host.sh(id)).stdout;
  await refused(
    portable(executor, "store", "store.service"),
    /belongs to no portable image \(it is the one of \/etc\/systemd\/system\/store\.service\)/,
    "conflict",
  );
  assert.equal((await host.sh(id)).stdout, before, "theirs goes on");
  await host.sh(
    "systemctl stop store; rm /etc/systemd/system/store.service; systemctl daemon-reload",
  );
  await host.sh(`printf '[Service]\\nExecStart=/bin/sh -c "exit 4"\\n' > \
/var/lib/portables/store/usr/lib/systemd/system/store.service`);
  await refused(portable(executor, "store", "store.service"), /exited with code 4/);
  assert.ok(!(await attachedUnits(host)).includes("store.service"));
}

Deno.test({
  name: "portable service: attach, run, stop, refuse",
  ignore: needs("docker", "root"),
  async fn(t) {
    await using host = await startHost();
    await using executor = await host.connect();
    await t.step("a wrong image says why", () => wrongImages(host, executor));
    await t.step("start, status, logs, stop, start again", () => runs(host, executor));
    await t.step("images whose names begin alike", () => namesAlike(host, executor));
    await t.step("what is not ours", () => strangers(host, executor));
  },
});
