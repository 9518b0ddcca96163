/**
 * `service register`: registers a service that was not deployed by this program.
 *
 * @module
 */
import type { Command } from "commander";
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
import { addHandler, type Context, type Io } from "../context.ts";
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
import { printDone } from "../output/notes.ts";
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
} satisfies FlagTable;

/** Declares the command. */
export function addRegisterCommand(group: Command, context: Context): void {
  const command = group.command("register")
    .description("put a service into the registry")
    .argument("[name]", "service name; with --file it may be left out");
  addFlags(command, REGISTER_FLAGS);
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given, name) => register(context, given, name));
}

async function register(context: Context, given: unknown, name?: string): Promise<void> {
  const flags = readFlags(REGISTER_FLAGS, given as Record<string, unknown>, context.io);
  const service = flags.file === null
    ? fromFlags(flags, name)
    : await fromFile(context.io, flags.file, name);
  await using session = await openSession(context, given as object);
  const entry = await session.call("register_service", {
    service,
    ...(flags.replace ? { replace: true } : {}),
  }).catch((error) => {
    if (flags.file === null) throw error;
    throw withHint(error, { code: "invalid_params" }, `the entry is in ${named(flags.file)}`);
  });
  if (session.flags.json) printJson(context.io, entry);
  else printDone(context.io, `${entry.id} registered`);
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

function fromFlags(flags: RegisterFlags, name: string | undefined): ServiceInput {
  if (name === undefined) throw missing("a name, or the whole entry with --file");
  if (flags.version === null) throw missing("--version");
  return {
    name,
    version: flags.version,
    execution: execution(flags),
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

function execution(flags: RegisterFlags): Execution {
  const { command, docker, systemd } = flags;
  if ([command, docker, systemd].filter((given) => given !== null).length !== 1) {
    throw missing("one of --command, --docker, --systemd");
  }
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
  const match = /^([^=]+)=([A-Za-z][\w+.-]*):\/\/(.+)$/.exec(text);
  if (match === null) throw new Error("must be name=protocol://host:port");
  const word = match[2] ?? "";
  const known = KNOWN_PROTOCOLS.find((candidate) => candidate === word);
  const protocol: EndpointProtocol = known ?? { custom: word };
  return { name: match[1] ?? "", protocol, address: match[3] ?? "", metadata: {} };
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
