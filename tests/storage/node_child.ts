/**
 * Uses the registry over files and the documents from another runtime: `<runtime> <bundle> <dir> [hold]`. With `hold`
 * it keeps the directory until it is killed.
 */
import process from "node:process";
import { Registry } from "../../src/registry/registry.ts";
import { Documents } from "../../src/storage/documents.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";

const [, , dir, mode] = process.argv;
if (dir === undefined) throw new Error("usage: node_child <dir> [hold]");
const open = () => Registry.open(new FileStore({ dir }));

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function use(registry: Registry): Promise<void> {
  const second = await open().then(() => "opened", (e) => e.code);
  await registry.register(serviceInput("web"), { replace: true });
  await registry.update("web", { version: `${registry.seq + 1}` });
  await new Documents({ dir: dir ?? "" }).put("notes", "n-1", { from: "child" });
  const { seq, epoch, warnings } = registry;
  await registry.close();
  print({ seq, epoch, warnings, second });
}

const registry = await open().catch((error) => {
  print({ code: error.code, pid: error.details?.pid });
  return null;
});
if (registry !== null && mode === "hold") {
  print({ pid: process.pid });
  // Also keeps a reference: Bun ends a process whose open files are collected.
  setInterval(() => registry.seq, 60_000);
} else if (registry !== null) {
  await use(registry);
}
