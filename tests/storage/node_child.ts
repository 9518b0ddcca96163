/** Uses the registry over files and the documents from another runtime: `<runtime> <bundle> <dir>`. */
import process from "node:process";
import { Registry } from "../../src/registry/registry.ts";
import { Documents } from "../../src/storage/documents.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";

const dir = process.argv[2];
if (dir === undefined) throw new Error("usage: node_child <dir>");
const registry = await Registry.open(new FileStore({ dir }));
const second = await Registry.open(new FileStore({ dir })).then(() => "opened", (e) => e.code);
await registry.register(serviceInput("web"), { replace: true });
await registry.update("web", { version: `${registry.seq + 1}` });
const documents = new Documents({ dir });
await documents.put("notes", "n-1", { from: "child" });
const { seq, epoch, warnings } = registry;
await registry.close();
process.stdout.write(`${JSON.stringify({ seq, epoch, warnings, second })}\n`);
