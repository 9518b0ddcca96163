/**
 * Resolves a target to its hops from ssh_config, defaults and ProxyJump.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { SSH_MAX_JUMPS } from "../limits.ts";
import { knownHostName } from "./known_hosts.ts";
import { readIfPresent } from "./known_hosts_file.ts";
import type { Hop, SshOptions, SshTarget } from "./types.ts";
import {
  expandHome,
  homeDirectory,
  type HostSettings,
  hostSettings,
  localUserName,
} from "./config.ts";
import process from "node:process";

const DEFAULT_KEYS = ["id_ed25519", "id_ecdsa", "id_rsa"];

async function passphraseOf(options: SshOptions): Promise<string | null> {
  if (options.passphrase !== undefined) return options.passphrase;
  const value = process.env.HARNESS_SSH_PASSPHRASE;
  if (value !== undefined) return value;
  const file = process.env.HARNESS_SSH_PASSPHRASE_FILE;
  if (file === undefined || file === "") return null;
  const text = await readIfPresent(file);
  if (text !== null) return text.replace(/\r?\n$/, "");
  throw new HarnessError(
    "invalid_params",
    `Cannot read the passphrase file ${file}: it does not exist; correct $HARNESS_SSH_PASSPHRASE_FILE`,
  );
}

function configFiles(options: SshOptions): string[] {
  if (options.sshConfigFile === null) return [];
  if (options.sshConfigFile !== undefined) return [options.sshConfigFile];
  return [expandHome("~/.ssh/config"), "/etc/ssh/ssh_config"];
}

/** `%h` and the like in a value of ssh_config. */
function expandTokens(value: string, tokens: Record<string, string>): string {
  return value.replace(/%(.)/g, (whole, name: string) => tokens[name] ?? whole);
}

function agentSocketOf(settings: HostSettings, options: SshOptions): string | null {
  if (options.agentSocket !== undefined) return options.agentSocket;
  const configured = settings.word("identityagent");
  if (configured === "none") return null;
  if (configured !== undefined && configured !== "SSH_AUTH_SOCK") {
    const name = /^\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?$/.exec(configured)?.[1];
    return name === undefined ? expandHome(configured) : process.env[name] ?? null;
  }
  return process.env.SSH_AUTH_SOCK || null;
}

function knownHostsFilesOf(
  settings: HostSettings,
  options: SshOptions,
  expand: (value: string) => string,
): string[] {
  if (options.knownHostsFiles !== undefined) {
    return options.knownHostsFiles.map((file) => expandHome(file, process.cwd()));
  }
  const user = settings.words("userknownhostsfile") ??
    ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"];
  const global = settings.words("globalknownhostsfile") ??
    ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];
  return [...user, ...global].filter((file) => file !== "none").map(expand);
}

function portOf(target: SshTarget, settings: HostSettings): number {
  const port = target.port ?? Number(settings.word("port") ?? 22);
  if (Number.isInteger(port) && port > 0 && port < 65536) return port;
  throw new HarnessError(
    "invalid_params",
    `Cannot connect to ${target.host}: ${settings.word("port") ?? port} is not a port`,
  );
}

/**
 * Refuses what is not a host name or address. A host may come from a client over the network and ends up in known_hosts
 * files and messages: it must not contain a line break or a pattern.
 */
function checkHost(name: string): string {
  if (/^[\p{L}\p{N}_.:%-]+$/u.test(name) && !name.startsWith("-")) return name;
  throw new HarnessError(
    "invalid_params",
    `Cannot connect to ${JSON.stringify(name)}: not a host name or an address`,
  );
}

/**
 * The user that {@linkcode routeTo} logs in as: given, or from ssh_config, or that of this process.
 *
 * @throws {HarnessError} `invalid_params` for an ssh_config that cannot be used.
 */
export async function loginUser(target: SshTarget, options: SshOptions): Promise<string> {
  if (target.user !== undefined) return target.user;
  return userOf(target, await hostSettings(configFiles(options), target.host));
}

function userOf(target: SshTarget, settings: HostSettings): string {
  return target.user ?? settings.word("user") ?? localUserName();
}

async function hopOf(
  target: SshTarget,
  settings: HostSettings,
  options: SshOptions,
): Promise<Hop> {
  const user = userOf(target, settings);
  const port = portOf(target, settings);
  const configured = settings.word("hostname");
  const address = checkHost(
    configured === undefined ? target.host : expandTokens(configured, { "%": "%", h: target.host }),
  );
  const tokens = {
    "%": "%",
    d: homeDirectory(),
    h: address,
    n: target.host,
    p: String(port),
    r: user,
    u: localUserName(),
  };
  const expand = (value: string): string => expandHome(expandTokens(value, tokens));
  const alias = settings.word("hostkeyalias");
  const name = alias?.toLowerCase() ?? knownHostName(address, port);
  const plain = address.toLowerCase();
  const keys = settings.all("identityfile").filter((file) => file !== "none").map(expand);
  const named = [target.identityFile, ...options.identityFiles ?? []];
  const acceptNew = settings.word("stricthostkeychecking") === "accept-new";
  return {
    label: target.host,
    address,
    port,
    user,
    keyNames: alias !== undefined || name === plain ? [name] : [name, plain],
    knownHostsFiles: knownHostsFilesOf(settings, options, expand),
    hostKeyPolicy: options.hostKeyPolicy ?? (acceptNew ? "accept-new" : "strict"),
    // A key named on the command line is relative to the working directory, not to the home directory.
    identityFiles: [
      ...named.filter((file) => file !== undefined).map((file) => expandHome(file, process.cwd())),
      ...keys,
    ],
    defaultIdentityFiles: DEFAULT_KEYS.map((key) => expandHome(`~/.ssh/${key}`)),
    identitiesOnly: settings.word("identitiesonly") === "yes",
    agentSocket: agentSocketOf(settings, options),
    passphrase: await passphraseOf(options),
  };
}

/** `[user@]host[:port]`, `ssh://…`, `[v6]:port`. */
function parseJump(text: string): SshTarget {
  const match = /^(?:ssh:\/\/)?(?:([^@\s]+)@)?(?:\[([^\]\s]+)\]|([^:[\]@\s]+))(?::(\d+))?\/?$/.exec(
    text,
  );
  const host = match?.[2] ?? match?.[3];
  if (match === null || host === undefined) {
    throw new HarnessError(
      "invalid_params",
      `Cannot use the jump host ${JSON.stringify(text)}: write [user@]host[:port]`,
    );
  }
  return { host, user: match[1], port: match[4] === undefined ? undefined : Number(match[4]) };
}

function jumpsOf(target: SshTarget, settings: HostSettings): SshTarget[] {
  const jumps = settings.word("proxyjump");
  if (jumps !== undefined && jumps !== "none") {
    return jumps.split(",").map((jump) => parseJump(jump.trim()));
  }
  const command = settings.words("proxycommand");
  if (jumps === undefined && command !== undefined && command[0] !== "none") {
    throw new HarnessError(
      "invalid_params",
      `Cannot connect to ${target.host}: its ProxyCommand in ssh_config is not supported; use ProxyJump`,
    );
  }
  return [];
}

/**
 * The hops that lead to `target`, itself last.
 *
 * As in ssh, only the first jump host of a list uses its own jump hosts: the others are reached from the one before them.
 *
 * @throws {HarnessError} `invalid_params` for a configuration that cannot be used.
 */
export async function routeTo(target: SshTarget, options: SshOptions): Promise<Hop[]> {
  const files = configFiles(options);
  const route: Hop[] = [];
  let next: SshTarget | undefined = target;
  while (next !== undefined) {
    const settings = await hostSettings(files, checkHost(next.host), next.user);
    route.unshift(await hopOf(next, settings, options));
    const jumps = jumpsOf(next, settings);
    for (const jump of jumps.slice(1).reverse()) {
      const own = await hostSettings(files, jump.host, jump.user);
      route.unshift(await hopOf(jump, own, options));
    }
    if (route.length + jumps.length > SSH_MAX_JUMPS + 1) {
      throw new HarnessError(
        "invalid_params",
        `Cannot connect to ${target.host}: more than ${SSH_MAX_JUMPS} jump hosts; is there a loop in ProxyJump?`,
      );
    }
    next = jumps[0];
  }
  return route;
}
