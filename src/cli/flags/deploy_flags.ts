/**
 * The flags of `deploy` and `rollback`, and the requests made from them.
 *
 * @module
 */
import { resolve as absolute } from "node:path";
import { HarnessError, messageOf } from "../../errors.ts";
import type { FileIssue } from "../../util/file_issues.ts";
import { MAX_HOSTS } from "../../model/limits.ts";
import { UNREACHABLE_POLICIES } from "../../model/deployment.ts";
import type { StrategySpec, Target } from "../../protocol/actions.ts";
import {
  booleanFlag,
  fileFlag,
  flagName,
  type FlagTable,
  type FlagValues,
  listFlag,
  type NamedFile,
  optionalChoiceFlag,
  presentFields,
  readFlags,
  textFlag,
  valueFlag,
} from "./flags.ts";
import { allFiles, readNamedFile, readSecretFile } from "./secrets.ts";
import { SSH_FLAGS } from "./ssh_flags.ts";
import { readHostsFile } from "./hosts_file.ts";
import { parseTarget, targetLabel } from "../../model/target.ts";
import { envPair, integer, type Pair } from "./values.ts";
import { unusable } from "./text_file.ts";

const { identity, knownHosts, hostKeyPolicy, sshConfig, installRoot, become } = SSH_FLAGS;

/** Which hosts. */
export const HOST_FLAGS = {
  host: listFlag("[user@]host[:port]", { help: "a host" }, (text) => text),
  hostsFile: fileFlag({ help: "hosts, one a line" }),
  local: booleanFlag({ help: "this machine; with a server, the server's machine" }),
} satisfies FlagTable;

/** A secret by name, and the file that holds it. */
interface SecretFile {
  readonly name: string;
  readonly file: NamedFile;
}

/** Where the values of secrets come from. */
export const SECRET_FLAGS = {
  secretFile: listFlag<SecretFile>("K=path", {
    help: "a secret: its value is the content of the file",
  }, (text, place) => {
    const [name, path] = envPair(text);
    return { name, file: { place, path } };
  }),
} satisfies FlagTable;

/** What they get, and in which order. */
export const DEPLOY_FLAGS = {
  env: listFlag<Pair>("K=V", { help: "environment of the service" }, envPair),
  envFile: listFlag<NamedFile>("file", {
    help: "the same from a file of K=V lines",
  }, (path, place) => ({ place, path })),
  ...SECRET_FLAGS,
  parallel: strategyNumber(1, "hosts at once", "10"),
  canary: strategyNumber(0, "hosts that go first, alone", "0"),
  maxFailures: strategyNumber(0, "failed hosts after which no new host is begun", "0"),
  onUnreachable: optionalChoiceFlag("fail|skip", UNREACHABLE_POLICIES, {
    help: "whether an unreachable host counts as a failure",
    shownDefault: "fail",
  }),
  force: booleanFlag({ help: "deploy again even if it is there, also with other bytes" }),
  requireSignature: fileFlag({
    value: "key",
    env: "HARNESS_REQUIRE_SIGNATURE",
    help: "refuse what this minisign public key file did not sign",
  }),
  idempotencyKey: textFlag("key", {
    help: "the same key again answers with the deployment that is there",
  }),
} satisfies FlagTable;

/** How the command behaves. */
export const FOLLOW_FLAGS = {
  detach: booleanFlag({ help: "print the deployment id and return at once" }),
  direct: booleanFlag({ help: "from this process, without a server; nothing is registered" }),
} satisfies FlagTable;

/** The SSH flags in the order of the help. */
export const DEPLOY_SSH_FLAGS = {
  identity,
  installRoot,
  become,
  knownHosts,
  hostKeyPolicy,
  sshConfig,
} satisfies FlagTable;

/** Only useful where this process makes the connections. */
const DIRECT_ONLY = ["knownHosts", "hostKeyPolicy", "sshConfig"] as const;

/**
 * The hosts that the flags name, each once.
 *
 * @throws {HarnessError} `invalid_params` when a host cannot be read or is named twice.
 */
export async function chosenHosts(flags: FlagValues<typeof HOST_FLAGS>): Promise<string[]> {
  const fromFile = flags.hostsFile === null ? [] : await readHostsFile(flags.hostsFile);
  const all = [...(flags.local ? ["local"] : []), ...flags.host, ...fromFile];
  const seen = new Set<string>();
  for (const host of all) {
    const label = targetLabel(parseTarget(host));
    if (seen.has(label)) {
      throw new HarnessError(
        "invalid_params",
        `Cannot use the hosts: ${host} is named twice, name each once`,
      );
    }
    seen.add(label);
  }
  if (all.length > MAX_HOSTS) {
    throw new HarnessError(
      "invalid_params",
      `Cannot deploy to ${all.length} hosts at once: ${MAX_HOSTS} is the most, split them`,
    );
  }
  return all;
}

/** The hosts as targets of a request, with the values of the SSH flags. */
export function targetsFor(hosts: readonly string[], given: Record<string, unknown>): Target[] {
  for (const key of DIRECT_ONLY) {
    if (given[key] === undefined) continue;
    throw new HarnessError(
      "invalid_params",
      `Cannot use --${flagName(key)} here: the server makes the connections, ` +
        "give it to serve, or use --direct here",
    );
  }
  // Read for what is wrong in it; from the command line only, since the variable is meant for the server.
  const read = readFlags({ become }, given, { env: () => undefined });
  const keys = Array.isArray(given["identity"]) ? given["identity"].map(String) : [];
  if (keys.length > 1) {
    throw new HarnessError(
      "invalid_params",
      "Cannot use several --identity without --direct: give one, or give them to `harness-ws-server serve`",
    );
  }
  const extra = presentFields({
    // A path on the server's machine: our working directory has no meaning there.
    identity_file: keys[0] === undefined ? null : absolute(keys[0]),
    install_root: given["installRoot"] === undefined ? null : String(given["installRoot"]),
    become: read.become,
  });
  if (Object.keys(extra).length === 0) return [...hosts];
  return hosts.map((host) => {
    const target = parseTarget(host);
    if (target === "local") {
      throw new HarnessError(
        "invalid_params",
        "Cannot use --identity, --install-root or --become with --local: they are the server's there",
      );
    }
    return { ...target, ...extra };
  });
}

/** The strategy of a request. */
export function strategyOf(flags: FlagValues<typeof DEPLOY_FLAGS>): StrategySpec {
  return presentFields({
    parallel: flags.parallel,
    canary: flags.canary,
    max_failures: flags.maxFailures,
    on_unreachable: flags.onUnreachable,
  });
}

/** What the services of a deployment get. */
export interface ServiceValues {
  /** The environment: files first, then `--env`, later ones win. */
  readonly env: Record<string, string>;
  /** The secrets that `--secret-file` names. */
  readonly secrets: Record<string, string>;
}

/** Reads what the flags give. @throws {HarnessError} One for all the files that cannot be used. */
export async function valuesOf(flags: FlagValues<typeof DEPLOY_FLAGS>): Promise<ServiceValues> {
  const read = await allFiles<Pair[]>([
    ...flags.envFile.map(readEnvFile),
    ...flags.secretFile.map(async (one) => [await readSecret(one)]),
  ]);
  const pairs = read.slice(0, flags.envFile.length).flat();
  return {
    env: Object.fromEntries([...pairs, ...flags.env]),
    secrets: Object.fromEntries(read.slice(flags.envFile.length).flat()),
  };
}

/** The secrets that `--secret-file` names. */
export async function secretsOf(
  flags: FlagValues<typeof SECRET_FLAGS>,
): Promise<Record<string, string>> {
  return Object.fromEntries(await allFiles(flags.secretFile.map(readSecret)));
}

async function readSecret({ name, file }: SecretFile): Promise<Pair> {
  return [name, await readSecretFile(file)];
}

/** The pairs of a file of `K=V` lines; a value is taken as it is, without unquoting. */
async function readEnvFile(file: NamedFile): Promise<Pair[]> {
  const text = await readNamedFile(file);
  const pairs: Pair[] = [];
  const issues: FileIssue[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.replace(/\r$/, "");
    if (/^\s*(#|$)/.test(line)) continue;
    const assignment = line.replace(/^\s*(export\s+)?/, "");
    try {
      pairs.push(envPair(assignment));
    } catch (error) {
      const column = line.length - assignment.length + 1;
      // Without the line itself: it may hold what should have been a secret.
      const message = `the line ${messageOf(error)}`;
      issues.push({ path: "", line: index + 1, column, message });
    }
  }
  if (issues.length > 0) throw unusable({ ...file, reason: "env_file" }, issues);
  return pairs;
}

function strategyNumber(min: number, help: string, shownDefault: string) {
  return valueFlag<number | null>(
    "n",
    { help, fallback: null, shownDefault },
    integer(min, MAX_HOSTS),
  );
}
