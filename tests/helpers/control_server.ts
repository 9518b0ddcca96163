/** A whole server in this process, as `serve` wires it, for tests of deployment and lifecycle. */
import { sshHostDirectory } from "../../src/server/hosts/ssh_directory.ts";
import { Registry } from "../../src/registry/registry.ts";
import { type ControlPlane, openControlPlane } from "../../src/server/control_plane.ts";
import { PackageStore } from "../../src/server/packages/package_store.ts";
import { serve, type WsServer } from "../../src/server/serve.ts";
import { Documents } from "../../src/storage/documents.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import type { Sshd } from "./sshd.ts";

/** Options for {@linkcode startControlServer}. */
export interface ControlServerOptions {
  /** State, packages and local install root live below it. */
  dir: string;
  /** Host whose key and known_hosts are used. */
  sshd?: Pick<Sshd, "identityFile" | "knownHostsFile">;
  /** Listener. @default {"deno"} */
  listener?: "deno" | "ws";
}

/** A running server and its parts. */
export interface ControlServer extends AsyncDisposable {
  readonly registry: Registry;
  readonly server: WsServer;
  readonly control: ControlPlane;
  /** WebSocket address. */
  readonly url: string;
  /** HTTP address. */
  readonly http: string;
}

/** Starts a server on a free port over the state in `dir`. */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const stateDir = `${options.dir}/state`;
  await Deno.mkdir(stateDir, { recursive: true, mode: 0o700 });
  await using stack = new AsyncDisposableStack();
  const registry = stack.use(await Registry.open(new FileStore({ dir: stateDir })));
  const packages = await PackageStore.open(`${stateDir}/packages`);
  const control = stack.use(
    await openControlPlane({
      registry,
      packages,
      documents: new Documents({ dir: stateDir }),
      hosts: sshHostDirectory({
        installRoot: `${options.dir}/opt`,
        ssh: { sshConfigFile: null, ...sshOptionsOf(options.sshd) },
      }),
      localRunRoot: `${stateDir}/run`,
    }),
  );
  const server = stack.use(
    await serve({
      ...control,
      port: 0,
      listener: options.listener ?? "deno",
      auth: { anonymous: "full" },
    }),
  );
  const owned = stack.move();
  return {
    registry,
    server,
    control,
    url: server.url,
    http: server.url.replace(/^ws/, "http"),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

function sshOptionsOf(sshd: ControlServerOptions["sshd"]) {
  if (sshd === undefined) return {};
  return { identityFiles: [sshd.identityFile], knownHostsFiles: [sshd.knownHostsFile] };
}
