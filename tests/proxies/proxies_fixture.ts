/** The proxies of docs/reverse-proxy.md, the certificates of docs/tls.md, and a package of a given size. */
import assert from "node:assert/strict";
import { freePort } from "../helpers/free_port.ts";
import { eventually } from "../helpers/raw_client.ts";
import { buildPackage } from "../../src/package/build.ts";
import { buildHello } from "../helpers/hello_package.ts";

/** Builds examples/hello-service with `bytes` of noise, which gzip does not shrink; returns the path. */
export async function buildLarge(
  dir: string,
  { version, port, bytes }: { version: string; port: number; bytes: number },
): Promise<string> {
  const small = await buildHello(dir, { version, port });
  const names = [...Deno.readDirSync(dir)].map(({ name }) => name);
  const tree = `${dir}/${names.find((name) => name.startsWith("tree-"))}`;
  await Deno.remove(small.path);
  await Deno.mkdir(`${tree}/config`, { recursive: true });
  const noise = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) {
    crypto.getRandomValues(noise.subarray(at, at + 65_536));
  }
  await Deno.writeFile(`${tree}/config/noise`, noise);
  return (await buildPackage(tree, { outDir: dir })).path;
}

/** The proxies of docs/reverse-proxy.md. */
export const PROXIES = ["nginx", "haproxy", "caddy"] as const;

/** One of {@linkcode PROXIES}. */
export type ProxyName = (typeof PROXIES)[number];

/** The language of each proxy's code block in docs/reverse-proxy.md. */
const LANGUAGES = { nginx: "nginx", haproxy: "haproxy", caddy: "caddyfile" };

/** The code blocks of a document in one language, in their order. */
export async function codeBlocks(file: string, language: string): Promise<string[]> {
  const text = await Deno.readTextFile(new URL(`../../docs/${file}`, import.meta.url));
  const blocks = text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"));
  return [...blocks].map(([, block = ""]) => block);
}

/** Runs a sh script in a directory; fails with its output. */
export async function sh(
  dir: string,
  script: string,
  env: Record<string, string> = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-euc", script],
    cwd: dir,
    env,
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert(success, `${script}\n${out}${err}`);
  return `${out}${err}`;
}

/** Makes the certificates of docs/tls.md in `<dir>/tls`, and HAProxy's file of both. */
export async function makeCertificates(dir: string): Promise<string> {
  const [recipe = ""] = await codeBlocks("tls.md", "sh");
  await sh(dir, recipe);
  await sh(`${dir}/tls`, "cat server.crt server.key >server.pem");
  return `${dir}/tls`;
}

/** Where a proxy listens, what it is before, and its files. */
export interface ProxyOptions {
  /** Its own directory. */
  dir: string;
  /** Directory of the certificate. */
  tls: string;
  /** Port of the server. */
  backend: number;
  /** Another configuration for nginx than that of the document. */
  config?: string;
}

/** Starts a proxy with the configuration of docs/reverse-proxy.md, but for ports, directories and a second name. */
export async function startProxy(
  name: ProxyName,
  { dir, tls, backend, config }: ProxyOptions,
): Promise<{ port: number } & AsyncDisposable> {
  const port = freePort();
  const [documented] = await codeBlocks("reverse-proxy.md", LANGUAGES[name]);
  const text = (config ?? documented ?? "")
    .replaceAll("127.0.0.1:8080", `127.0.0.1:${backend}`)
    .replaceAll("/etc/harness/tls", tls)
    .replaceAll(/^(\s*)listen 443/gm, `$1listen 127.0.0.1:${port}`)
    .replaceAll("bind :443", `bind 127.0.0.1:${port}`)
    .replace(
      /^harness\.example\.org \{/m,
      `https://harness.example.org:${port}, https://localhost:${port} {`,
    );
  await Deno.mkdir(dir, { recursive: true });
  const file = `${dir}/proxy.conf`;
  await Deno.writeTextFile(file, STARTS[name].wrap(text, dir));
  const [program = "", ...args] = STARTS[name].command(file, dir);
  const child = new Deno.Command(program, {
    args,
    env: { HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  let ended = false;
  void output.then(() => ended = true);
  const dispose = async () => {
    if (!ended) child.kill("SIGTERM");
    await output;
  };
  try {
    await eventually(async () => ended || await isListening(port), `${name} listens`);
    if (ended) throw new Error(new TextDecoder().decode((await output).stderr));
  } catch (error) {
    await dispose();
    throw error;
  }
  return { port, [Symbol.asyncDispose]: dispose };
}

/** How each program is started in the foreground, as an ordinary user could. */
const STARTS: Record<ProxyName, {
  wrap: (config: string, dir: string) => string;
  command: (file: string, dir: string) => string[];
}> = {
  nginx: {
    wrap: (config, dir) => {
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map((kind) => `${kind}_temp_path ${dir}/${kind};`).join(" ");
      // Its workers would be nobody, who reaches no directory of the test's.
      const user = Deno.uid() === 0 ? "user root;" : "";
      return `${user} daemon off; pid ${dir}/pid; error_log stderr; worker_processes 1; events {}\n` +
        `http { access_log off; ${temporary}\n${config}\n}\n`;
    },
    command: (file, dir) => ["nginx", "-p", dir, "-c", file, "-e", "stderr"],
  },
  haproxy: {
    wrap: (config) => config,
    command: (file) => ["haproxy", "-db", "-f", file],
  },
  caddy: {
    wrap: (config) => `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${config}`,
    command: (file) => ["caddy", "run", "--adapter", "caddyfile", "--config", file],
  },
};

async function isListening(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
