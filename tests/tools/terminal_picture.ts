/**
 * Makes docs/terminal.svg from a real session: a server, three hosts, a deployment, a look at the services.
 *
 * Usage: `deno task picture`, as root on Linux with BusyBox and dropbear.
 */
import { buildPackage } from "../../src/package/build.ts";
import { type BusyBoxHost, startBusyBoxHost } from "../helpers/busybox_host.ts";
import { programCommand, startServer } from "../helpers/cli.ts";
import { Terminal } from "../helpers/pty.ts";
import { type Row, screenRows, terminalSvg } from "./terminal_svg.ts";

const PICTURE = new URL("../../docs/terminal.svg", import.meta.url);
const COLUMNS = 100;
const HOSTS = ["web1", "web2", "web3"];
/** How much of the deployment is done in the picture, in percent. */
const SHOWN_SHARE = 22;
/** Sizes of the package that are tried: on a busy machine a small one is on one host before another has begun. */
const PACKAGE_BYTES = [24 << 20, 48 << 20, 96 << 20, 192 << 20];
const MANIFEST = `name: shop
version: VERSION
service:
  type: managed_process
  start: foreground
  ports: [{ name: http, port: 8080, protocol: http }]
health: { script: scripts/health.sh, interval: 1s, timeout: 5s, retries: 3, start_period: 30s }
`;

/** What identifies a run, replaced by something of the same width. */
function withFixedIds(text: string): string {
  return text.replace(/d-\d{8}-\d{6}-[0-9a-f]{8}/g, "d-20270104-101500-5f3a9c1e");
}

/** Runs the session, until all hosts are seen at work at once, and returns the picture. */
export async function terminalPicture(): Promise<string> {
  for (const bytes of PACKAGE_BYTES) {
    const rows = await sessionWith(bytes);
    if (rows === null) continue;
    const title = "A deployment to three hosts in a terminal";
    return terminalSvg(rows, { columns: COLUMNS, title });
  }
  throw new Error("the hosts were never seen at work at once: the machine is too busy");
}

async function sessionWith(packageBytes: number): Promise<Row[] | null> {
  await using stack = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "harness-picture-" });
  stack.defer(() => Deno.remove(dir, { recursive: true }));
  const hosts = await Promise.all(HOSTS.map(async () => stack.use(await startBusyBoxHost())));
  const sshConfig = await writeSshConfig(dir, hosts);
  const server = stack.use(await startServer(["--ssh-config", sshConfig]));
  await makePackages(dir, packageBytes);
  const terminal = stack.use(await shell(dir, server.url));
  return await session(terminal);
}

/**
 * What is typed, and the rows that are shown: in the middle of the deployment, and at the end. `null` where it was over
 * on one host before the middle on another.
 */
async function session(terminal: Terminal): Promise<Row[] | null> {
  const prompt = ({ screen }: Terminal) => screen.endsWith("$");
  // The shell of root ignores PS1 in its environment.
  await terminal.type("PS1=$(printf '\\033[36m$\\033[0m '); clear\r");
  await terminal.until(({ screen }) => screen === "$");
  await terminal.type(`harness-ws-server deploy shop-1.0.0.tar.gz ${flags()} --quiet && clear\r`);
  await terminal.until(({ output, screen }) => output.includes("succeeded") && screen === "$");
  const top = terminal.emulator.buffer.active.baseY;
  await terminal.type(`harness-ws-server deploy shop-1.1.0.tar.gz ${flags()}\r`);
  const isOver = (it: Terminal) => it.screen.includes("succeeded") && prompt(it);
  await terminal.until((it) => isDuring(it) || isOver(it));
  if (!isDuring(terminal)) return null;
  const during = screenRows(terminal.emulator, top, withFixedIds);
  await terminal.until(isOver);
  const after = terminal.emulator.buffer.active.baseY + terminal.emulator.buffer.active.cursorY;
  const report = screenRows(terminal.emulator, top, withFixedIds).slice(2, -1);
  await terminal.type("harness-ws-server services\r");
  await terminal.until((it) => it.screen.includes("STATE") && prompt(it));
  const services = screenRows(terminal.emulator, after, withFixedIds).slice(0, -1);
  return [...during, [], ...report, [], ...services];
}

/** Whether the package is on its way to all hosts. */
function isDuring({ screen }: Terminal): boolean {
  const shares = [...screen.matchAll(/(\d+)% +\S+iB\/s/g)].map(([, share]) => Number(share));
  return shares.length === HOSTS.length && shares.every((share) => share >= SHOWN_SHARE);
}

function flags(): string {
  return HOSTS.map((host) => `--host ${host}`).join(" ");
}

async function writeSshConfig(dir: string, hosts: readonly BusyBoxHost[]): Promise<string> {
  const blocks = hosts.map((host, index) =>
    [
      `Host ${HOSTS[index]}`,
      `  HostName ${host.host}`,
      `  Port ${host.port}`,
      `  User ${host.user}`,
      `  IdentityFile ${host.identityFile}`,
      `  UserKnownHostsFile ${host.knownHostsFile}`,
    ].join("\n")
  );
  await Deno.writeTextFile(`${dir}/ssh_config`, `${blocks.join("\n")}\n`);
  return `${dir}/ssh_config`;
}

/** Two versions of one service; the second has a file that takes a while to upload. */
async function makePackages(dir: string, packageBytes: number): Promise<void> {
  const tree = `${dir}/shop`;
  await Deno.mkdir(`${tree}/scripts`, { recursive: true });
  await Deno.writeTextFile(`${tree}/scripts/start.sh`, "#!/bin/sh\nexec sleep 100000\n");
  await Deno.writeTextFile(`${tree}/scripts/health.sh`, "#!/bin/sh\necho fine\n");
  for (const [version, size] of [["1.0.0", 0], ["1.1.0", packageBytes]] as const) {
    await Deno.writeTextFile(`${tree}/manifest.yaml`, MANIFEST.replace("VERSION", version));
    // Random, so that it cannot be compressed.
    const payload = new Uint8Array(size);
    for (let at = 0; at < size; at += 65_536) {
      crypto.getRandomValues(payload.subarray(at, at + 65_536));
    }
    await Deno.writeFile(`${tree}/shop.bin`, payload);
    await buildPackage(tree, { outDir: dir });
  }
}

/** A shell in which our program has its name. */
async function shell(dir: string, url: string): Promise<Terminal> {
  const { program, args, env } = programCommand([], { env: { HARNESS_URL: url } });
  const words = [program, ...args].map((word) => `'${word}'`).join(" ");
  await Deno.mkdir(`${dir}/bin`);
  await Deno.writeTextFile(`${dir}/bin/harness-ws-server`, `#!/bin/sh\nexec ${words} "$@"\n`, {
    mode: 0o755,
  });
  const path = `${dir}/bin:${env["PATH"] ?? ""}`;
  return new Terminal(["sh", "-i"], {
    ...{ columns: COLUMNS, rows: 40, cwd: dir },
    env: { ...env, PATH: path, TERM: "xterm-256color", LANG: "C.UTF-8" },
  });
}

if (import.meta.main) await Deno.writeTextFile(PICTURE, await terminalPicture());
