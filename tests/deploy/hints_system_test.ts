/** What a report tells people to do: commands and places that are really there. */
import assert from "node:assert/strict";
import { hostLayout } from "../../src/deploy/host/layout.ts";
import { releaseSpec } from "../../src/deploy/release_spec.ts";
import { driverFor } from "../../src/lifecycle/drivers/table.ts";
import type { ServiceSpec } from "../../src/lifecycle/service_spec.ts";
import { parseManifest } from "../../src/package/manifest/parse.ts";
import { Bench, run } from "./support.ts";

const MANIFEST = parseManifest(
  "name: web\nversion: 1.0.0\n" +
    "service: {type: managed_process, ports: [{name: http, port: 8080}, {name: dns, port: 53, protocol: udp}]}\n",
  "manifest.yaml",
);

const SPEC = releaseSpec({
  manifest: MANIFEST,
  layout: hostLayout("/opt", "web"),
  release: { id: "1.0.0", dir: "/opt/web-1.0.0" },
  envName: "1.0.0.env",
  ports: MANIFEST.service.ports,
  files: { stopScript: false, reloadScript: false, imageTar: false },
});

const startHint = (spec: ServiceSpec, systemd: boolean) =>
  driverFor(spec.execution, systemd).startHint(spec);
const logHint = (spec: ServiceSpec, systemd: boolean) =>
  driverFor(spec.execution, systemd).logHint(spec);

Deno.test("startHint(): a command for each way to run a service", () => {
  assert.equal(startHint(SPEC, false), "/opt/web-1.0.0/scripts/start.sh");
  assert.equal(startHint(SPEC, true), "systemctl start harness-web.service");
  const of = (execution: ServiceSpec["execution"]) => startHint({ ...SPEC, execution }, false);
  assert.equal(
    of({ type: "docker_container", image: "web:1", imageTar: null, container: "web" }),
    "docker run --name web -p 8080:8080 -p 53:53/udp web:1",
  );
  const unit = "my app.service";
  assert.equal(of({ type: "systemd_service", unit }), "systemctl start 'my app.service'");
  assert.equal(
    of({ type: "systemd_portable", unit: "a.service", image: "a" }),
    "systemctl start a.service",
  );
});

Deno.test("logHint(): a file or a command for each way", () => {
  assert.equal(logHint(SPEC, false), "/opt/.harness/web/output/web.log");
  assert.equal(logHint(SPEC, true), "journalctl -u harness-web.service");
  const of = (execution: ServiceSpec["execution"]) => logHint({ ...SPEC, execution }, false);
  assert.equal(
    of({ type: "docker_container", image: "web:1", imageTar: null, container: "web" }),
    "docker logs web",
  );
  assert.equal(of({ type: "systemd_service", unit: "a.service" }), "journalctl -u a.service");
});

Deno.test("deploy(): names the instance or the file of the log", async () => {
  await using bench = new Bench();
  const instances = new Map([["here", "web@here"], ["other", "web@other"]]);
  const advice = async (version: string, plan: Parameters<Bench["plan"]>[1]): Promise<string> => {
    const sick = await bench.makePackage({
      version,
      start: "#!/bin/sh\necho no database\nexit 3\n",
    });
    const { host } = await run(bench.plan(sick, plan));
    assert.equal(host.step, "start", JSON.stringify(host));
    return String(host.error?.details?.["next"]);
  };
  const file = `${bench.base()}/output/web.log`;
  // A first installation that fails is not registered afterwards.
  const first = await advice("0.9.0", { instances });
  assert(first.includes(`its log (${file} on here)`), first);
  assert.match(Deno.readTextFileSync(file), /no database/);
  await run(bench.plan(await bench.makePackage()));
  const second = await advice("1.1.0", { instances });
  assert(second.includes("(harness-ws-server service logs web@here)"), second);
  const direct = await advice("1.2.0", {});
  assert(direct.includes(`its log (${file} on here)`), direct);
});
