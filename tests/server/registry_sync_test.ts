/** What a deployment means for the registry. */
import assert from "node:assert/strict";
import { sshHostDirectory } from "../../src/server/hosts/ssh_directory.ts";
import { parseManifest } from "../../src/package/manifest/parse.ts";
import { Registry } from "../../src/registry/registry.ts";
import { admitInstance, claimInstances } from "../../src/server/deployments/registry_sync.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";

const MANIFEST = parseManifest("name: web\nversion: 1.0.0\n", "manifest.yaml");

Deno.test("recordOutcome(): records the login user of ssh_config", async () => {
  const sshConfig = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(sshConfig, "Host web1\n  User cloudsdk\n");
    const host = sshHostDirectory({ ssh: { sshConfigFile: sshConfig } }).resolve("web1:2222");
    const registry = await Registry.open(new MemoryStore());
    const [instance] = claimInstances(registry, MANIFEST, [host]);
    assert.ok(instance !== undefined);
    await admitInstance(registry, instance);
    assert.deepEqual(registry.get("web").location, {
      type: "remote",
      host: "web1",
      ssh_user: "cloudsdk",
      ssh_port: 2222,
    });
    await registry.close();
  } finally {
    await Deno.remove(sshConfig);
  }
});
