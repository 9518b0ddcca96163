/**
 * The server process: opens the parts, serves until a signal, and shuts down in order.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { X509Certificate } from "node:crypto";
import { join, resolve as absolute } from "node:path";
import process from "node:process";
import { HarnessError, messageOf } from "../../errors.ts";
import { Registry } from "../../registry/registry.ts";
import { type ControlPlane, openControlPlane } from "../../server/control_plane.ts";
import { sshHostDirectory } from "../../server/hosts/ssh_directory.ts";
import { PackageStore } from "../../server/packages/package_store.ts";
import { Gate } from "../../server/gate.ts";
import { openServer, type ServeOptions, type WsServer } from "../../server/listening.ts";
import { Documents } from "../../storage/documents.ts";
import { FileStore } from "../../storage/file_store.ts";
import { CLI_CLOSE_GRACE_MS } from "../limits.ts";
import { SUBPROTOCOL } from "../../protocol/messages.ts";
import { SERVER_NAME, VERSION } from "../../version.ts";
import type { AuditEntry } from "../../server/access/audit.ts";
import { AuditFile } from "./audit_file.ts";
import { type AddressFiles, writeAddressFiles } from "./address_file.ts";
import { hostDirectoryOptions, type SshFlags } from "../flags/ssh_flags.ts";
import { EXIT } from "../exit_codes.ts";
import type { FlagValues, NamedFile } from "../flags/flags.ts";
import { interruptedExitCode, type Io } from "../context.ts";
import { configureLogging } from "../logging.ts";
import { readNamedFile } from "../flags/secrets.ts";
import { type LIMIT_FLAGS, type SERVE_FLAGS, serverLimits } from "../flags/serve_flags.ts";
import { type ServerTokens, serverTokens } from "./server_token.ts";
import { Hangups } from "./token_reload.ts";
import { defaultStateDir } from "./state_dir.ts";
import { resultWithin } from "../../util/async.ts";
import { hasErrorCode, makeDirectory } from "../../util/node/files.ts";
import { ownUid } from "../../util/node/runtime.ts";

/** The values of all flags of `serve`. */
export interface ServerFlags {
  /** Where and how to listen, keep state and log. */
  serve: FlagValues<typeof SERVE_FLAGS>;
  /** How hosts are reached. */
  ssh: SshFlags;
  /** The bounds. */
  limits: FlagValues<typeof LIMIT_FLAGS>;
}

const log = getLogger(["harness", "cli"]);

/** Serves until SIGTERM or SIGINT; returns the exit code. */
export async function runServer(io: Io, flags: ServerFlags): Promise<number> {
  const stateDir = absolute(defaultStateDir(flags.serve.stateDir, io.env, ownUid()));
  const tls = await readTls(flags);
  using hangups = new Hangups();
  const { tokens, registry } = await openState(io, flags, stateDir);
  startLogging(io, flags, tokens.secrets);
  const exposure = { ...listenOptions(flags, tokens), ...(tls === null ? {} : { tls }) };
  const parts = await openParts(registry, stateDir, flags);
  let server: WsServer;
  try {
    const audit = (entry: AuditEntry) => parts.audit.add(entry);
    // What serves clients is loaded after the ready line.
    server = await openServer(
      { ...exposure, ...parts.controlPlane, audit },
      (handled) => new Gate(handled),
    );
  } catch (error) {
    await parts.close();
    throw notListening(error);
  }
  let current = tokens;
  let addresses = await announce(io, server, tokens, stateDir);
  for (const warning of registry.warnings) log.warn("State: {warning}", { warning });
  const services = registry.size;
  io.out(
    `${SERVER_NAME} listening on ${server.url} ` +
      `(protocol ${SUBPROTOCOL}, state ${stateDir}, ${services} services)\n`,
  );
  log.info("Token: {source}", { source: tokens.source });
  log.info("Serving on {url}", {
    url: server.url,
    version: VERSION,
    state_dir: stateDir,
    services,
  });
  // Clients are on their way to a server that has services; one without keeps the memory of the checks, 15 MB, until
  // somebody comes.
  const failed = failureOf(server.warmUp({ rules: services > 0 }));
  hangups.onReload = async () => {
    await reloadTls(server, flags);
    const next = await serverTokens(io, flags.serve, () => madeStateDir(stateDir), true);
    // Those from before, too: a line may still be about them.
    startLogging(io, flags, [...current.secrets, ...next.secrets]);
    server.setTokens(next.auth);
    if (next.made?.token !== current.made?.token) {
      await addresses[Symbol.asyncDispose]();
      addresses = await announce(io, server, next, stateDir);
    }
    current = next;
    log.info("Read the tokens again: {source}", { source: next.source });
  };
  const failure = await Promise.race([untilInterrupted(io), failed]);
  // First, so that no client command sends the token to a later program at this address.
  await addresses[Symbol.asyncDispose]();
  if (failure === null) return await end(io, server, parts, flags.limits.shutdownTimeout);
  // A supervisor starts it again; in this process nothing helps.
  await end(io, server, parts, flags.limits.shutdownTimeout, messageOf(failure));
  return EXIT.failure;
}

/** Why `promise` rejects; never settles where it does not. */
function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return new Promise((resolve) => promise.catch(resolve));
}

/**
 * Reads the tokens and opens the registry: both at once where the server makes its own token, since at a first start both
 * wait for the disk.
 */
async function openState(
  io: Io,
  flags: ServerFlags,
  stateDir: string,
): Promise<{ tokens: ServerTokens; registry: Registry }> {
  const { durability, strictState: strict } = flags.serve;
  const opening: Promise<Registry>[] = [];
  const open = async () => {
    await madeStateDir(stateDir);
    const registry = Registry.open(new FileStore({ dir: stateDir, durability, strict }));
    registry.catch(() => {}); // awaited below, after the token
    opening.push(registry);
    return stateDir;
  };
  try {
    const tokens = await serverTokens(io, flags.serve, open);
    if (opening.length === 0) await open();
    const [registry] = await Promise.all(opening);
    if (registry === undefined) throw new Error("no registry was opened");
    return { tokens, registry };
  } catch (error) {
    for (const opened of await Promise.allSettled(opening)) {
      if (opened.status === "fulfilled") await opened.value.close();
    }
    throw error;
  }
}

/** Reads the certificate again. A failure is logged, and the one from before stays. */
async function reloadTls(server: WsServer, flags: ServerFlags): Promise<void> {
  try {
    const tls = await readTls(flags);
    if (tls === null) return;
    server.setTls(tls);
    const { validTo } = new X509Certificate(tls.cert);
    log.info("Read the certificate again: it is valid until {until}", { until: validTo });
  } catch (error) {
    log.error("Cannot read the certificate again, the one from before stays: {why}", {
      why: messageOf(error),
    });
  }
}

/** What the server is made of. */
interface Parts {
  readonly controlPlane: ControlPlane;
  readonly audit: AuditFile;
  /** Closes everything, the registry last. */
  close(): Promise<void>;
}

/** Opens them around a registry, which they close, too; also when that fails. */
async function openParts(
  registry: Registry,
  stateDir: string,
  flags: ServerFlags,
): Promise<Parts> {
  const { packagesDir } = flags.serve;
  const opened: AsyncDisposable[] = [registry];
  const close = () => closeAll(opened);
  try {
    const documents = new Documents({ dir: stateDir });
    const packages = await PackageStore.open(packagesDir ?? join(stateDir, "packages"), {
      maxBytes: flags.limits.maxPackageBytes,
      maxTotalBytes: flags.limits.maxPackagesBytes,
      maxUploads: flags.limits.maxUploads,
      stallTimeoutMs: flags.limits.transferStallTimeout,
      trustedKeys: await readTrustedKeys(flags.serve.trustedKey),
    });
    const hosts = sshHostDirectory(hostDirectoryOptions(flags.ssh));
    const localRunRoot = join(stateDir, "run");
    const isOpen = flags.serve.allowUnauthenticated;
    const audit = new AuditFile(join(stateDir, "audit.log"), { open: isOpen });
    opened.push(audit);
    const parts = { registry, packages, documents, hosts, localRunRoot };
    const controlPlane = await openControlPlane(parts);
    opened.push(controlPlane);
    return { controlPlane, audit, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The keys of `--trusted-key`. What checks signatures is loaded only where there are some. */
async function readTrustedKeys(keys: readonly NamedFile[]): Promise<string[]> {
  if (keys.length === 0) return [];
  const { trustedKeys } = await import("../commands/package/signatures.ts");
  return await trustedKeys(keys);
}

/** Closes the last first, and the others even if that fails. Node 22 has no AsyncDisposableStack. */
async function closeAll(opened: AsyncDisposable[]): Promise<void> {
  try {
    await opened.pop()?.[Symbol.asyncDispose]();
  } finally {
    if (opened.length > 0) await closeAll(opened);
  }
}

/** Shuts down in order; what does not end in time is abandoned. */
async function end(
  io: Io,
  server: WsServer,
  parts: Parts,
  timeoutMs: number,
  reason = messageOf(io.interrupted.reason),
): Promise<number> {
  const deadlineMs = timeoutMs + CLI_CLOSE_GRACE_MS;
  log.info("Shutting down: {reason}", { reason });
  const orderly = async (): Promise<number> => {
    // Together: clients hear of it while hosts in flight go back.
    await Promise.all([server.shutdown(reason), parts.controlPlane.park(timeoutMs)]);
    await parts.close();
    return EXIT.ok;
  };
  const code = await resultWithin(orderly(), deadlineMs);
  if (code !== null) return code;
  log.error("Shutdown took over {ms} ms: leaving the rest", { ms: deadlineMs });
  return interruptedExitCode(io) ?? EXIT.failure;
}

function startLogging(
  io: Io,
  { serve: { logLevel: level, logFormat: format } }: ServerFlags,
  secrets: readonly string[],
): void {
  const wanted = io.verbose ? "debug" : io.quiet && level !== "error" ? "warning" : level;
  configureLogging(io, { level: wanted, format, secrets });
}

/** Lets client commands of this user find the token that was made. */
async function announce(
  io: Io,
  { hostname, port }: WsServer,
  { made }: ServerTokens,
  stateDir: string,
): Promise<AddressFiles> {
  if (made === null) return { paths: [], [Symbol.asyncDispose]: () => Promise.resolve() };
  const record = { hostname, port, token: made.token, pid: process.pid };
  const files = await writeAddressFiles(record, (name) => io.env(name), stateDir);
  if (files.paths.length === 0) {
    log.warn("Client commands cannot find the token by themselves: give them --token-file {file}", {
      file: made.file,
    });
  }
  return files;
}

function listenOptions(
  flags: ServerFlags,
  { auth }: ServerTokens,
): Omit<ServeOptions, "registry"> {
  const { listen, listener, allowUnauthenticated, allowOrigin, allowHost, trustedProxy } =
    flags.serve;
  return {
    hostname: listen.hostname,
    port: listen.port,
    listener,
    allowUnauthenticated,
    auth: {
      ...auth,
      allowOrigins: allowOrigin,
      ...(allowHost.length === 0 ? {} : { allowHosts: allowHost }),
    },
    trustedProxies: trustedProxy,
    limits: serverLimits(flags.limits),
  };
}

async function readTls(flags: ServerFlags): Promise<{ cert: string; key: string } | null> {
  const { tlsCert, tlsKey } = flags.serve;
  if (tlsCert === null && tlsKey === null) return null;
  if (tlsCert === null || tlsKey === null) {
    const missing = tlsCert === null ? "--tls-cert" : "--tls-key";
    throw new HarnessError(
      "invalid_params",
      `Cannot serve TLS: ${missing} is missing, give --tls-cert and --tls-key`,
    );
  }
  return { cert: await readNamedFile(tlsCert), key: await readNamedFile(tlsKey) };
}

async function madeStateDir(dir: string): Promise<string> {
  try {
    await makeDirectory(dir, 0o700);
    return dir;
  } catch (error) {
    const why = hasErrorCode(error, "EACCES", "EPERM", "EROFS")
      ? "permission denied"
      : hasErrorCode(error, "EEXIST", "ENOTDIR")
      ? "there is a file of that name in the way"
      : messageOf(error);
    throw new HarnessError(
      "storage_unavailable",
      `Cannot make the state directory ${dir}: ${why}; choose another with --state-dir`,
      { cause: error },
    );
  }
}

/** An address that another machine has is no malformed flag: the same command works there. */
function notListening(error: unknown): unknown {
  if (!(error instanceof HarnessError)) return error;
  const { details, message } = error;
  const isElsewhere = details?.["reason"] === "address_not_local" ||
    details?.["reason"] === "unknown_host";
  return isElsewhere ? new HarnessError("unavailable", message, { cause: error, details }) : error;
}

function untilInterrupted(io: Io): Promise<null> {
  return new Promise((resolve) => {
    if (io.interrupted.aborted) return resolve(null);
    io.interrupted.addEventListener("abort", () => resolve(null), { once: true });
  });
}
