/**
 * The common WebSocket clients of other languages. Each runs the same scenario against a server and prints what it saw:
 * a refusal with a wrong token, the subprotocol, the hello, a list of more than 1 MiB, an event, a request of 1 MiB,
 * a pong, a bookmark, and the code of a close.
 */
import { join } from "node:path";
import { built } from "../helpers/build_cache.ts";
import type { Component } from "../helpers/require.ts";
import { nodePath } from "../helpers/runtimes.ts";
import { runProgram } from "../helpers/sshd.ts";

/** Where a client connects to. */
export interface Aim {
  readonly url: string;
  readonly token: string;
  /** File of the authority that it trusts. */
  readonly ca: string;
}

/** A client. */
export interface ForeignClient {
  readonly name: string;
  readonly needs: readonly Component[];
  /** Builds what is not in the cache, and returns how to run it. */
  prepare(): Promise<
    (aim: Aim) => { command: string; args: string[]; env?: Record<string, string> }
  >;
  /** What it cannot see or do: the status of a refusal, pings. */
  readonly lacks?: ReadonlyArray<"status" | "ping">;
}

/** What a client prints that lacks nothing. */
export const SCENARIO = [
  "refused 401",
  "connected harness.v1",
  "hello",
  "listed 1",
  "event",
  "sent a MiB",
  "pong",
  "bookmark",
  "closed 4400",
];

function sourcesOf(folder: string): string {
  return new URL(folder, import.meta.url).pathname;
}

const positional = ({ url, token, ca }: Aim) => [url, token, ca];

function java(name: string, main: string, folder: string, maven: boolean): ForeignClient {
  return {
    name,
    needs: maven ? ["java", "maven"] : ["java"],
    // What a library pings by itself is no event of it.
    ...(maven ? { lacks: ["ping"] } : {}),
    async prepare() {
      const sources = sourcesOf(folder);
      const dir = await built({ name: `java-${main}`, sources }, async (dir) => {
        await Deno.mkdir(join(dir, "lib"), { recursive: true });
        const copy = ["-q", "-B", "-f", join(dir, "pom.xml"), "dependency:copy-dependencies"];
        if (maven) await runProgram("mvn", [...copy, `-DoutputDirectory=${dir}/lib`]);
        await runProgram("javac", ["-cp", `${dir}/lib/*`, "-d", dir, join(dir, `${main}.java`)]);
      });
      const args = ["-XX:TieredStopAtLevel=1", "-cp", `${dir}:${dir}/lib/*`, main];
      return (aim) => ({ command: "java", args: [...args, ...positional(aim)] });
    },
  };
}

/** A directory with Python's libraries in `venv`. */
export async function pythonDir(): Promise<string> {
  const extra = await runProgram("python3", ["--version"]);
  return await built({ name: "python", sources: sourcesOf("python"), extra }, async (dir) => {
    await runProgram("python3", ["-m", "venv", join(dir, "venv")]);
    const pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
    const wanted = ["--only-binary", ":all:", "-r", join(dir, "requirements.txt")];
    await runProgram(join(dir, "venv/bin/python"), [...pip, ...wanted]);
  });
}

function python(library: string): ForeignClient {
  return {
    name: `Python ${library}`,
    needs: ["python3", "venv"],
    async prepare() {
      const dir = await pythonDir();
      const client = ["-u", join(dir, "client.py"), library];
      return (aim) => ({
        command: `${dir}/venv/bin/python`,
        args: [...client, ...positional(aim)],
      });
    },
  };
}

function go(library: string, path: string): ForeignClient {
  return {
    name: `Go ${path}`,
    needs: ["go"],
    async prepare() {
      const dir = await built({ name: "go", sources: sourcesOf("go") }, async (dir) => {
        await runProgram("go", ["build", "-o", join(dir, "client"), "."], { cwd: dir });
      });
      return (aim) => ({ command: join(dir, "client"), args: [library, ...positional(aim)] });
    },
  };
}

const rust: ForeignClient = {
  name: "Rust tokio-tungstenite",
  needs: ["cargo"],
  async prepare() {
    const dir = await built({ name: "rust", sources: sourcesOf("rust") }, async (dir) => {
      const target = ["--target-dir", join(dir, "target")];
      const manifest = ["--manifest-path", join(dir, "Cargo.toml")];
      await runProgram("cargo", ["build", "--quiet", "--locked", ...manifest, ...target]);
    });
    return (aim) => ({ command: join(dir, "target/debug/client"), args: positional(aim) });
  },
};

/** A WebSocket that has the interface of browsers: no status of a refusal, no pings, the token in a subprotocol. */
function builtIn(
  name: string,
  component: Component | null,
  command: () => Promise<string[]>,
): ForeignClient {
  return {
    name: `${name} built-in`,
    needs: component === null ? [] : [component],
    lacks: ["status", "ping"],
    async prepare() {
      const [program = "", ...before] = await command();
      const file = sourcesOf("node/builtin.mjs");
      return (aim) => ({
        command: program,
        args: [...before, file, ...positional(aim)],
        env: { NODE_EXTRA_CA_CERTS: aim.ca, DENO_CERT: aim.ca },
      });
    },
  };
}

const nodeWs: ForeignClient = {
  name: "Node ws",
  needs: ["node22"],
  async prepare() {
    const dir = await built({ name: "node-ws", sources: sourcesOf("node") }, async (dir) => {
      const entry = sourcesOf("node/ws.mjs");
      const out = ["--platform=deno", "--quiet", `--output=${dir}/client.mjs`];
      await runProgram(Deno.execPath(), ["bundle", ...out, entry]);
    });
    const node = await nodePath(22);
    return (aim) => ({
      command: node,
      args: [join(dir, "client.mjs"), ...positional(aim)],
    });
  },
};

/** All of them; curl, which has no WebSocket of its own in most builds, is in the test. */
export const CLIENTS: readonly ForeignClient[] = [
  java("Java java.net.http", "Jdk", "java/jdk", false),
  java("Java OkHttp", "Ok", "java/okhttp", true),
  python("websockets"),
  python("websocket-client"),
  python("aiohttp"),
  go("gorilla", "gorilla/websocket"),
  go("coder", "coder/websocket"),
  rust,
  nodeWs,
  builtIn("Node 22", "node22", async () => [await nodePath(22)]),
  builtIn("Node 24", "node24", async () => [await nodePath(24)]),
  builtIn("Bun", "bun", () => Promise.resolve(["bun"])),
  builtIn("Deno", null, () => Promise.resolve([Deno.execPath(), "run", "-A"])),
];
