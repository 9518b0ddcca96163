/**
 * Uploads packages to the server and downloads them.
 *
 * @module
 */
import { open, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { answerError, readAnswer } from "../../client/http_answer.ts";
import { HarnessError, messageOf } from "../../errors.ts";
import { streamOf } from "../../server/http/transfers.ts";
import type { PackageInfo } from "../../protocol/actions.ts";
import { type ClientFlags, serverAccess, trustedTransport } from "./connect.ts";
import type { Context } from "../context.ts";
import { readSecretFile, unreadable } from "../flags/secrets.ts";
import { note } from "../output/notes.ts";
import { heldBack, type PackageCheck } from "./held_back.ts";
import { formatSize } from "../../util/units.ts";
import { digestFile } from "../../util/node/digest.ts";
import { writeAll } from "../../util/node/files.ts";

/** Does what needs a package while it is checked: when both fail, the error is that of the check. */
export async function whileChecked<T>(
  check: PackageCheck | null,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await check?.summary;
    throw error;
  }
}

/** What {@linkcode uploadPackage} uploads. */
export interface Upload {
  /** The package. */
  readonly path: string;
  /** Its check, which may go on during the upload: before it has succeeded the server does not get all of it. */
  readonly check: PackageCheck;
  /** What the server holds. */
  readonly held: readonly PackageInfo[];
  /** Replace a package of the same name and version that has other bytes. */
  readonly force: boolean;
}

/**
 * Uploads a package and the signature beside it; one that the server holds already is not sent again.
 *
 * @throws {HarnessError} What the server refused it for, or `unreachable`; the error of the check.
 */
export async function uploadPackage(
  context: Context,
  flags: ClientFlags,
  { path, check, held, force }: Upload,
): Promise<PackageInfo> {
  const { io } = context;
  const file = basename(path);
  const other = held.find((info) => info.file === file);
  // Where there is nothing to compare with, it need not be read before it is sent.
  const known = other === undefined ? null : await check.summary;
  const signature = await signatureBeside(path);
  if (other !== undefined && other.sha256 === known?.sha256) {
    note(io, `${file} is on the server already\n`);
    if (signature !== null) await uploadSignature(context, flags, file, signature);
    return other;
  }
  const source = await openFile(path);
  note(io, `uploading ${file} (${formatSize(known?.size ?? source.size)})\n`);
  const request: PackageRequest = {
    method: "PUT",
    file,
    query: force ? "?force=1" : "",
    body: heldBack(source.stream, check),
    headers: {
      "content-type": "application/gzip",
      ...(known === null ? {} : { "x-content-sha256": known.sha256 }),
      // In the same request, so that the package is never there without it.
      ...(signature === null ? {} : { "x-minisign-signature": btoa(signature) }),
    },
  };
  const response = await askPackages(context, flags, request);
  if (response.status !== 201) throw await refusal(request, response);
  const info = await response.json() as PackageInfo;
  const { sha256 } = await check.summary;
  if (info.sha256 === sha256) return info;
  throw new HarnessError(
    "conflict",
    `Cannot upload ${file}: the server has other bytes than those that were checked, with the SHA-256 ${info.sha256}; remove it there and try again`,
    { details: { sha256: info.sha256, sent: sha256 } },
  );
}

async function openFile(
  path: string,
): Promise<{ stream: ReadableStream<Uint8Array>; size: number }> {
  try {
    const handle = await open(path, "r");
    return { stream: streamOf(handle), size: (await handle.stat()).size };
  } catch (error) {
    throw unreadable({ place: "the package", path }, error);
  }
}

/**
 * Fetches a package that the server holds, and its signature, into `dir`.
 *
 * @returns Where the package is.
 * @throws {HarnessError} `not_found` without one of them.
 */
export async function downloadPackage(
  context: Context,
  flags: ClientFlags,
  { file, sha256 }: PackageInfo,
  dir: string,
): Promise<string> {
  const path = join(dir, basename(file));
  for (const suffix of ["", ".minisig"]) {
    const name = `${file}${suffix}`;
    const request: PackageRequest = { method: "GET", file: name, headers: {} };
    const response = await askPackages(context, flags, request);
    const type = response.headers.get("content-type") ?? "";
    if (response.status !== 200 || /^text\/html\b/i.test(type)) {
      const error = await refusal(request, response);
      // The check reports a missing signature.
      if (suffix !== "" && error.code === "not_found") continue;
      throw error;
    }
    await writeNew(`${path}${suffix}`, response.body);
  }
  const got = await digestFile(path);
  if (got.sha256 === sha256) return path;
  throw new HarnessError("conflict", `Cannot check ${file}: the server changed it meanwhile`);
}

async function writeNew(path: string, body: ReadableStream<Uint8Array> | null): Promise<void> {
  await using file = await open(path, "wx");
  for await (const chunk of body ?? []) await writeAll(file, chunk);
}

/** The signature of a package of the server's that was uploaded before it was signed. */
async function uploadSignature(
  context: Context,
  flags: ClientFlags,
  file: string,
  signature: string,
): Promise<void> {
  const request: PackageRequest = {
    method: "PUT",
    file: `${file}.minisig`,
    body: signature,
    headers: { "content-type": "text/plain" },
  };
  const response = await askPackages(context, flags, request);
  if (response.status !== 201) throw await refusal(request, response);
  await response.body?.cancel();
}

async function signatureBeside(path: string): Promise<string | null> {
  const file = { place: "the signature", path: `${path}.minisig` };
  const there = await stat(file.path).then(() => true, () => false);
  if (!there) return null;
  // Like a secret's file: bounded, and its errors name it.
  return `${await readSecretFile(file)}\n`;
}

/** A request about a package or a signature. */
interface PackageRequest {
  readonly method: "GET" | "PUT";
  readonly file: string;
  /** `?force=1`. */
  readonly query?: string;
  readonly body?: ReadableStream<Uint8Array> | string;
  readonly headers: Record<string, string>;
}

/** Asks the HTTP side of the server. */
async function askPackages(
  { io }: Context,
  flags: ClientFlags,
  request: PackageRequest,
): Promise<Response> {
  const { method, file, query = "", body, headers } = request;
  const { token, url: server } = await serverAccess(io, flags);
  const url = new URL(encodeURIComponent(file) + query, packagesUrl(server));
  const transport = await trustedTransport(flags) ?? { fetch };
  try {
    return await transport.fetch(url, {
      method,
      // Node demands the second of these for a stream.
      ...(body === undefined ? {} : { body, duplex: "half" }),
      signal: io.interrupted,
      // The token is for this address.
      redirect: "manual",
      headers: { ...headers, ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
    });
  } catch (error) {
    io.interrupted.throwIfAborted();
    throw cutOff(request, error);
  }
}

/** The error for a request without an answer. */
function cutOff({ method, file }: PackageRequest, error: unknown): HarnessError {
  const why = messageOf((error as { cause?: unknown }).cause ?? error);
  const advice = method === "GET"
    ? "try again, or see the server's log"
    : "try again, or see the logs of the server and of a proxy before it, " +
      "which may limit the size of a request";
  return new HarnessError(
    "unreachable",
    `Cannot ${verbOf(method)} ${file}: the connection ended without an answer (${why}); ${advice}`,
    { cause: error, details: { reason: "cut_off" } },
  );
}

/** The error for an answer that is not the wanted one: the server's, or that of a proxy before it. */
async function refusal(
  { method, file }: Pick<PackageRequest, "method" | "file">,
  response: Response,
): Promise<HarnessError> {
  return answerError(`Cannot ${verbOf(method)} ${file}`, await readAnswer(response));
}

function verbOf(method: PackageRequest["method"]): string {
  return method === "GET" ? "download" : "upload";
}

/** Where a server has its packages: beside its WebSocket, which may be below a path of a proxy. */
function packagesUrl(server: string): URL {
  const url = new URL(server.replace(/^ws(s?):/, "http$1:"));
  return new URL(`${url.origin}${url.pathname.replace(/\/*$/, "/")}packages/`);
}
