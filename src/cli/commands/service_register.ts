/**
 * `service register`: registers a service that was not deployed by this program.
 *
 * @module
 */
import type { Command, TypedLine } from "../command_line/command.ts";
import { HarnessError, messageOf } from "../../errors.ts";
import { MAX_TTL_MS, MIN_TTL_MS } from "../../model/limits.ts";
import {
  type Endpoint,
  type EndpointProtocol,
  type Execution,
  KNOWN_PROTOCOLS,
  type ServiceInput,
} from "../../model/service.ts";
import { CLIENT_FLAGS, openSession } from "../session/connect.ts";
import type { ClientStatus } from "../../client/mod.ts";
import { addLineHandler, type Context, type Io } from "../context.ts";
import { keepAlive } from "./keep_alive.ts";
import {
  addFlags,
  booleanFlag,
  fileFlag,
  type FlagTable,
  listFlag,
  type NamedFile,
  presentFields,
  readFlags,
  textFlag,
  valueFlag,
} from "../flags/flags.ts";
import { named, readNamedFile } from "../flags/secrets.ts";
import { mistakeError } from "../flags/usage.ts";
import { note, printDone } from "../output/notes.ts";
import { printJson } from "../output/table.ts";
import { duration, pair } from "../flags/values.ts";
import { formatDuration } from "../../util/units.ts";
import { withHint } from "../output/hints.ts";

const REGISTER_FLAGS = {
  file: fileFlag({ help: "the whole entry as JSON, - for stdin" }),
  id: textFlag("id", { help: "instance id, where a service has several" }),
  version: textFlag("version", { help: "version text" }),
  command: textFlag("path", { help: "a process: the program that starts it" }),
  arg: listFlag("text", { help: "argument of --command" }, (text) => text),
  docker: textFlag("image", { help: "a docker container of this image" }),
  container: textFlag("name", { help: "name of the container of --docker" }),
  systemd: textFlag("unit", { help: "a systemd unit" }),
  host: textFlag("user@host[:port]", { help: "where it runs; this machine when left out" }),
  endpoint: listFlag("name=protocol://host:port", { help: "where it can be reached" }, endpoint),
  dependsOn: listFlag("service", { help: "a service it needs" }, (text) => text),
  label: listFlag("k=v", { help: "a label" }, pair),
  ttl: valueFlag<number | null>("time", {
    help: "lease: it fails without a heartbeat in this time",
    fallback: null,
  }, leaseTime),
  replace: booleanFlag({ help: "replace the entry that is there" }),
  keepAlive: booleanFlag({ help: "stay, send its heartbeats, and remove it at the end" }),
  keepEntry: booleanFlag({ help: "with --keep-alive: leave it at the end, as stopped or failed" }),
  wait: valueFlag<number | null>("time", {
    help: "with --keep-alive: until its endpoints accept connections",
    fallback: null,
  }, duration),
} satisfies FlagTable;

/** Declares the command. */
export function declareRegister(command: Command, context: Context): void {
  addFlags(command, REGISTER_FLAGS);
  addFlags(command, CLIENT_FLAGS, "Server:");
  addLineHandler(
    context,
    command,
    (line) => register(context, line.flags, wordsOf(command, line)),
  );
}

/** What stands before `--`, and the program after it. */
interface Words {
  name: string | undefined;
  argv: string[];
}

function wordsOf(command: Command, { flags, before, after }: TypedLine): Words {
  if (before.length > 1) {
    const why = "a program to start comes after --";
    throw mistakeError(command, {
      kind: "excess_arguments",
      words: before,
      flags,
      isNamed: true,
      why,
    });
  }
  if (after?.length === 0) throw missing("the program to start after --");
  return { name: before[0], argv: [...after ?? []] };
}

async function register(context: Context, given: unknown, words: Words): Promise<number | void> {
  const { io } = context;
  const { name, argv } = words;
  const flags = readFlags(REGISTER_FLAGS, given as Record<string, unknown>, io);
  const service = flags.file === null
    ? fromFlags(flags, words)
    : await fromFile(io, flags.file, name);
  const isKept = flags.keepAlive || argv.length > 0;
  checkKeepAlive(flags, isKept, service);
  await using session = await openSession(context, given as object, {
    follows: isKept,
    ...(isKept ? { onStatus: connectionNotes(io) } : {}),
  });
  const { replace, keepEntry, wait: waitMs, file } = flags;
  try {
    if (isKept) return await keepAlive(io, session, { service, argv, replace, keepEntry, waitMs });
    const params = { service, ...(replace ? { replace } : {}) };
    const entry = await session.call("register_service", params);
    if (session.flags.json) printJson(io, entry);
    else printDone(io, `${entry.id} registered`);
  } catch (error) {
    if (file === null) throw error;
    throw withHint(error, { code: "invalid_params" }, `the entry is in ${named(file)}`);
  }
}

function checkKeepAlive(flags: RegisterFlags, isKept: boolean, service: ServiceInput): void {
  if (!isKept && (flags.keepEntry || flags.wait !== null)) {
    throw missing("--keep-alive, or a program to start after --");
  }
  const { endpoints } = service;
  const hasEndpoint = Array.isArray(endpoints) && endpoints.length > 0;
  if (flags.wait !== null && !hasEndpoint) throw missing("--endpoint, which --wait waits for");
}

/** Reports that the connection is lost, and that it is back. */
function connectionNotes(io: Io): (status: ClientStatus) => void {
  let isLost = false;
  return (status) => {
    if (status.type === "disconnected" && status.willReconnect) {
      isLost = true;
      note(io, `connection lost (${status.code}), reconnecting\n`);
    } else if (status.type === "connected" && isLost) {
      isLost = false;
      note(io, "connected again\n");
    }
  };
}

async function fromFile(io: Io, file: NamedFile, name?: string): Promise<ServiceInput> {
  const text = file.path === "-"
    ? new TextDecoder().decode(await io.readStdin())
    : await readNamedFile(file);
  try {
    const entry: unknown = JSON.parse(text);
    if (typeof entry !== "object" || entry === null) throw new Error("it is not a JSON object");
    // The server checks the fields.
    return { ...entry, ...presentFields({ name }) } as ServiceInput;
  } catch (error) {
    throw new HarnessError(
      "invalid_params",
      `Cannot use ${named(file)}: ${messageOf(error)}; write the entry as a JSON object`,
      { cause: error },
    );
  }
}

type RegisterFlags = ReturnType<typeof readFlags<typeof REGISTER_FLAGS>>;

/** Version of a service that is only kept alive and says none. */
const NO_VERSION = "0.0.0";

function fromFlags(flags: RegisterFlags, { name, argv }: Words): ServiceInput {
  if (name === undefined) throw missing("a name, or the whole entry with --file");
  const isKept = flags.keepAlive || argv.length > 0;
  if (flags.version === null && !isKept) throw missing("--version");
  return {
    name,
    version: flags.version ?? NO_VERSION,
    execution: execution(flags, argv),
    ...presentFields({
      id: flags.id,
      location: flags.host === null ? null : location(flags.host),
      ttl_ms: flags.ttl,
    }),
    endpoints: flags.endpoint,
    depends_on: flags.dependsOn,
    labels: Object.fromEntries(flags.label),
  };
}

function execution(flags: RegisterFlags, [program]: readonly string[]): Execution {
  const { command, docker, systemd } = flags;
  const ways = [command, docker, systemd].filter((given) => given !== null);
  if (ways.length === 0 && program !== undefined) {
    // Without its arguments: everybody who may read the registry would see a secret among them.
    return { type: "managed_process", command: program, args: [], pid: null };
  }
  if (ways.length !== 1) throw missing("one of --command, --docker, --systemd");
  if (command !== null) return { type: "managed_process", command, args: flags.arg, pid: null };
  if (docker !== null) {
    const image = docker;
    return { type: "docker_container", image, container_id: null, name: flags.container };
  }
  return { type: "systemd_service", unit_name: systemd ?? "" };
}

function location(text: string): NonNullable<ServiceInput["location"]> {
  if (text === "local") return { type: "local" };
  const match = /^([^@\s]+)@(\[[^\]]+\]|[^:@\s]+)(?::(\d{1,5}))?$/.exec(text);
  if (match === null) throw missing("--host as user@host or user@host:port");
  const host = (match[2] ?? "").replace(/^\[|\]$/g, "");
  const ssh_port = match[3] === undefined ? null : Number(match[3]);
  return { type: "remote", host, ssh_user: match[1] ?? "", ssh_port };
}

function endpoint(text: string): Endpoint {
  const match = /^([^=]+)=(?:([A-Za-z][\w+.-]*):\/\/)?([^/]+)$/.exec(text);
  if (match === null) throw new Error("must be name=protocol://host:port");
  const [, name = "", given, address = ""] = match;
  // `http=127.0.0.1:8080`: the name says it.
  const word = given ?? name;
  const known = KNOWN_PROTOCOLS.find((candidate) => candidate === word);
  const protocol: EndpointProtocol = known ?? (given === undefined ? "tcp" : { custom: word });
  return { name, protocol, address, metadata: {} };
}

function leaseTime(text: string): number {
  const ms = duration(text);
  if (ms < MIN_TTL_MS || ms > MAX_TTL_MS) {
    throw new Error(`must be ${formatDuration(MIN_TTL_MS)} to ${formatDuration(MAX_TTL_MS)}`);
  }
  return ms;
}

function missing(what: string): HarnessError {
  return new HarnessError(
    "invalid_params",
    `Cannot register the service: give ${what}; \`harness-ws-server service register --help\` shows how`,
  );
}
