/** A server and a client of a user whose runtime directory only the server has: run as that user, in his home. */
import { findAddressFile, writeAddressFiles } from "../../src/cli/server_process/address_file.ts";
import { defaultStateDir } from "../../src/cli/server_process/state_dir.ts";

const [home = "", runtimeDir = ""] = Deno.args;
const envOf = (variables: Record<string, string>) => (name: string) => variables[name];
const server = envOf({ HOME: home, XDG_RUNTIME_DIR: runtimeDir });
const record = { hostname: "127.0.0.1", port: 7070, token: "a-token", pid: Deno.pid };
const stateDir = defaultStateDir(null, server, Deno.uid());
await Deno.mkdir(stateDir, { recursive: true });
const files = await writeAddressFiles(record, server, stateDir);
const found = await findAddressFile("127.0.0.1", 7070, envOf({ HOME: home }));
await files[Symbol.asyncDispose]();
const after = await findAddressFile("127.0.0.1", 7070, envOf({ HOME: home }));
// deno-lint-ignore no-console
console.log(JSON.stringify({ paths: files.paths, found, after }));
