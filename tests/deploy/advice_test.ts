/** What a report tells people to do: commands and places that are really there. */
import assert from "node:assert/strict";
import { startText } from "../../src/deploy/advice.ts";
import { hostLayout } from "../../src/deploy/layout.ts";
import { releaseSpec } from "../../src/deploy/release_spec.ts";
import type { ServiceSpec } from "../../src/lifecycle/service_spec.ts";
import { parseManifest } from "../../src/package/parse_manifest.ts";

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

Deno.test("startText() is what starts a release by hand, for each kind of service", () => {
  assert.equal(startText(SPEC, false), "/opt/web-1.0.0/scripts/start.sh");
  assert.equal(startText(SPEC, true), "systemctl start harness-web.service");
  const of = (execution: ServiceSpec["execution"]) => startText({ ...SPEC, execution }, false);
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
