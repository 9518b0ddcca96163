/** A state directory that is deleted, moved or replaced while it is used. */
import assert from "node:assert/strict";
import { Registry } from "../../src/registry/registry.ts";
import { Documents } from "../../src/storage/documents.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import type { Durability } from "../../src/storage/durability.ts";
import { startServer as startProgram } from "../helpers/cli.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { eventually, RawClient } from "../helpers/raw_client.ts";
import { refusal } from "../helpers/rejects.ts";
import { takeAway } from "../helpers/remove_tree.ts";
import { tempDir } from "../helpers/temp_dir.ts";

/** Opens a registry in `<dir>/state` with one service. */
async function opened(dir: string, durability: Durability = "sync"): Promise<Registry> {
  const store = new FileStore({ dir: `${dir}/state`, durability, tuning: { retryMs: 5 } });
  const registry = await Registry.open(store);
  await registry.register(serviceInput("kept"));
  return registry;
}

/** What a registry in `<dir>/state` has after it is opened again. */
async function reopened(dir: string): Promise<string[]> {
  await using registry = await Registry.open(new FileStore({ dir: `${dir}/state` }));
  return registry.list().map(({ id }) => id);
}

/** Refuses a change for the storage's sake, and says that it did not happen. */
async function assertRefused(registry: Registry, name: string): Promise<void> {
  const error = await refusal("storage_unavailable", () => registry.register(serviceInput(name)));
  assert.equal(error.details?.["outcome"], "not_done");
  assert.deepEqual(registry.list({ name }), []);
  assert.match(registry.problem ?? "", /state director/);
  assert.equal(registry.get("kept").id, "kept", "reads go on");
}

for (const durability of ["sync", "async"] as const) {
  Deno.test(`FileStore: a deleted directory refuses, ${durability}`, async () => {
    await using dir = await tempDir();
    await using registry = await opened(dir.path, durability);
    await takeAway(`${dir.path}/state`);
    // With async, changes within some milliseconds of the last check may be lost.
    if (durability === "async") await registry.checkStorage();
    await assertRefused(registry, "lost");
    await assertRefused(registry, "lost");
    await assert.rejects(Deno.stat(`${dir.path}/state`), "it is not made again by itself");
  });
}

Deno.test("Registry.checkStorage: notices it without a change", async () => {
  await using dir = await tempDir();
  await using registry = await opened(dir.path);
  await registry.checkStorage();
  assert.equal(registry.problem, null);
  await takeAway(`${dir.path}/state`);
  await Promise.all([registry.checkStorage(), registry.checkStorage()]);
  assert.match(registry.problem ?? "", /was deleted, moved or replaced/);
});

Deno.test("FileStore: an empty directory is filled from memory", async () => {
  await using dir = await tempDir();
  {
    await using registry = await opened(dir.path);
    await takeAway(`${dir.path}/state`);
    await assertRefused(registry, "lost");
    await Deno.mkdir(`${dir.path}/state`);
    await eventually(() => registry.problem === null, "recovery");
    await registry.register(serviceInput("later"));
    await refusal("conflict", () => Registry.open(new FileStore({ dir: `${dir.path}/state` })));
    assert.deepEqual((await registry.history(0, 9))?.map(({ seq }) => seq), [1, 2]);
  }
  assert.deepEqual(await reopened(dir.path), ["kept", "later"]);
});

Deno.test("FileStore: other data in its place is left alone", async () => {
  await using dir = await tempDir();
  await using other = await tempDir();
  {
    await using registry = await opened(other.path);
    await registry.register(serviceInput("theirs"));
  }
  await using registry = await opened(dir.path);
  await takeAway(`${dir.path}/state`);
  await Deno.rename(`${other.path}/state`, `${dir.path}/state`);
  await assertRefused(registry, "lost");
  await eventually(() => registry.problem?.includes("restart the server") === true, "is named");
  await registry.close();
  assert.deepEqual(await reopened(dir.path), ["kept", "theirs"]);
});

Deno.test("FileStore: a copy in its place is left alone", async () => {
  await using dir = await tempDir();
  const state = `${dir.path}/state`;
  await using registry = await opened(dir.path);
  await new Deno.Command("cp", { args: ["-a", state, `${state}.copy`] }).output();
  await registry.register(serviceInput("after"));
  await takeAway(state);
  await Deno.rename(`${state}.copy`, state);
  await assertRefused(registry, "lost");
  await registry.close();
  assert.deepEqual(await reopened(dir.path), ["kept"]);
});

Deno.test("FileStore: moved away and back, it goes on", async () => {
  await using dir = await tempDir();
  const state = `${dir.path}/state`;
  {
    await using registry = await opened(dir.path);
    await Deno.rename(state, `${state}.away`);
    await assertRefused(registry, "lost");
    await Deno.rename(`${state}.away`, state);
    await eventually(() => registry.problem === null, "recovery");
    await registry.register(serviceInput("later"));
  }
  assert.deepEqual(await reopened(dir.path), ["kept", "later"]);
});

for (const file of ["registry.journal", "registry.lock"]) {
  Deno.test(`FileStore: recovers from a deleted ${file}`, async () => {
    await using dir = await tempDir();
    {
      await using registry = await opened(dir.path);
      await Deno.remove(`${dir.path}/state/${file}`);
      await assertRefused(registry, "lost");
      await eventually(() => registry.problem === null, "recovery");
      await registry.register(serviceInput("later"));
      await refusal("conflict", () => Registry.open(new FileStore({ dir: `${dir.path}/state` })));
    }
    assert.deepEqual(await reopened(dir.path), ["kept", "later"]);
  });
}

Deno.test("FileStore: another owner of a new lock keeps it", async () => {
  await using dir = await tempDir();
  await using registry = await opened(dir.path);
  await Deno.remove(`${dir.path}/state/registry.lock`);
  {
    await using second = await Registry.open(new FileStore({ dir: `${dir.path}/state` }));
    await assertRefused(registry, "lost");
    await second.register(serviceInput("theirs"));
    await registry.close();
    await second.register(serviceInput("more"));
    await refusal("conflict", () => Registry.open(new FileStore({ dir: `${dir.path}/state` })));
  }
  assert.deepEqual(await reopened(dir.path), ["kept", "more", "theirs"]);
});

Deno.test("Documents: do not make a deleted state directory again", async () => {
  await using dir = await tempDir();
  const state = `${dir.path}/state`;
  const documents = new Documents({ dir: state });
  await documents.put("things", "a", 1);
  await Deno.remove(`${state}/things`, { recursive: true });
  await documents.put("things", "b", 2);
  assert.deepEqual(await documents.list("things"), [{ id: "b", value: 2 }]);
  await takeAway(state);
  for (const collection of ["things", "others"]) {
    await refusal("storage_unavailable", () => documents.put(collection, "c", 3));
  }
  await assert.rejects(Deno.stat(state));
});

Deno.test("serve: red without its state directory, green with a new one", async () => {
  await using server = await startProgram();
  await using client = await RawClient.ready(server.url);
  const ready = async () => {
    const response = await fetch(`${server.url.replace(/^ws/, "http")}/readyz`);
    return { status: response.status, body: await response.json() };
  };
  const register = (name: string) =>
    client.fail("register_service", { service: serviceInput(name) });
  await client.call("register_service", { service: serviceInput("kept") });
  assert.equal((await ready()).status, 200);
  await takeAway(server.stateDir);
  const red = await ready();
  assert.equal(red.status, 503);
  assert.match(red.body.problems.join(), new RegExp(`${server.stateDir}.* was deleted`));
  const error = await register("lost");
  assert.deepEqual([error.code, error.retryable], ["storage_unavailable", true]);
  assert.equal(error.details.outcome, "not_done");
  await Deno.mkdir(server.stateDir);
  await eventually(async () => (await ready()).status === 200, "it is green again");
  await client.call("register_service", { service: serviceInput("later") });
  await takeAway(server.stateDir);
  server.cli.kill("SIGTERM");
  assert.equal((await server.cli.end()).code, 0);
});
