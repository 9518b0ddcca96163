/**
 * Uploads packages to the server and downloads them.
 *
 * @module
 */
import { open, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { HarnessError, isErrorCode, messageOf } from "../../errors.ts";
import { streamOf } from "../../server/http/transfers.ts";
import type { PackageInfo } from "../../protocol/actions.ts";
import type { WireError } from "../../protocol/messages.ts";
import { type ClientFlags, serverAccess, trustedTransport } from "./connect.ts";
import type { Context } from "../context.ts";
import { readSecretFile, unreadable } from "../flags/secrets.ts";
import { note } from "../output/notes.ts";
import { formatSize } from "../../util/units.ts";
import { digestFile } from "../../util/node/digest.ts";
import { writeAll } from "../../util/node/files.ts";

/** Options for {@linkcode uploadPackage}. */
export interface UploadOptions {
  /** Replace a package of the same name and version that has other bytes. @default {false} */
  force?: boolean;
}

/** The size and the SHA-256 of a file. */
export async function digestOf(path: string): Promise<{ size: number; sha256: string }> {
  try {
    return await digestFile(path);
  } catch (error) {
    throw unreadable({ place: "the package", path }, error);
  }
}

/**
 * Uploads the package at `path` and the signature beside it; one that the server holds already is not sent
 * again.
 *
 * @throws {HarnessError} What the server refused it for, or `unreachable`.
 */
export async function uploadPackage(
  context: Context,
  flags: ClientFlags,
  path: string,
  held: readonly PackageInfo[],
  options: UploadOptions = {},
): Promise<PackageInfo> {
  const { io } = context;
  const file = basename(path);
  const { size, sha256 } = await digestOf(path);
  const signature = await signatureBeside(path);
  const same = held.find((info) => info.file === file && info.sha256 === sha256);
  if (same !== undefined) {
    note(io, `${file} is on the server already\n`);
    if (signature !== null) await uploadSignature(context, flags, file, signature);
    return same;
  }
  note(io, `uploading ${file} (${formatSize(size)})\n`);
  const force = options.force === true ? "?force=1" : "";
  const response = await askPackages(context, flags, {
    method: "PUT",
    file: `${encodeURIComponent(file)}${force}`,
    body: streamOf(await open(path, "r")),
    headers: {
      "content-type": "application/gzip",
      "x-content-sha256": sha256,
      // In the same request, so that the package is never there without it.
      ...(signature === null ? {} : { "x-minisign-signature": btoa(signature) }),
    },
  });
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusal(file, response.status, answer);
  return answer as PackageInfo;
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
    const request = { method: "GET", file: encodeURIComponent(name), headers: {} };
    const response = await askPackages(context, flags, request);
    if (!response.ok) {
      const answer: unknown = await response.json().catch(() => null);
      // The check reports a missing signature.
      if (suffix !== "" && response.status === 404) continue;
      throw refusal(name, response.status, answer, "download");
    }
    await writeNew(`${path}${suffix}`, response.body);
  }
  const got = await digestOf(path);
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
  const response = await askPackages(context, flags, {
    method: "PUT",
    file: encodeURIComponent(`${file}.minisig`),
    body: signature,
    headers: { "content-type": "text/plain" },
  });
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusal(`${file}.minisig`, response.status, answer);
}

async function signatureBeside(path: string): Promise<string | null> {
  const file = { place: "the signature", path: `${path}.minisig` };
  const there = await stat(file.path).then(() => true, () => false);
  if (!there) return null;
  // Like a secret's file: bounded, and its errors name it.
  return `${await readSecretFile(file)}\n`;
}

/** Asks the HTTP side of the server. */
async function askPackages(
  { io }: Context,
  flags: ClientFlags,
  request: {
    method: string;
    file: string;
    body?: ReadableStream<Uint8Array> | string;
    headers: Record<string, string>;
  },
): Promise<Response> {
  const { method, file, body, headers } = request;
  const { token, url: server } = await serverAccess(io, flags);
  const url = new URL(`/packages/${file}`, httpUrl(server));
  const transport = await trustedTransport(flags) ?? { fetch };
  try {
    return await transport.fetch(url, {
      method,
      // Node demands the second of these for a stream.
      ...(body === undefined ? {} : { body, duplex: "half" }),
      signal: io.interrupted,
      headers: { ...headers, ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
    });
  } catch (error) {
    io.interrupted.throwIfAborted();
    const verb = method === "GET" ? "download" : "upload";
    throw new HarnessError(
      "unreachable",
      `Cannot ${verb} ${decodeURIComponent(file)}: ${
        messageOf(error)
      }; try again, or see the server's log`,
      { cause: error },
    );
  }
}

/** The error in a refusal of the server, or of a proxy before it. */
function refusal(
  file: string,
  status: number,
  answer: unknown,
  verb: "upload" | "download" = "upload",
): HarnessError {
  const { error } = (answer ?? {}) as { error?: Partial<WireError> };
  if (!isErrorCode(error?.code) || typeof error.message !== "string") {
    return proxyRefusal(`Cannot ${verb} ${file}`, status);
  }
  return new HarnessError(error.code, error.message, { details: { ...error.details, status } });
}

/** The error for an answer that is not the server's own. */
function proxyRefusal(what: string, status: number): HarnessError {
  const [code, hint] = status === 413
    ? [
      "too_large",
      "a proxy before the server limits the size (nginx: client_max_body_size)",
    ] as const
    : status === 401 || status === 403
    ? ["forbidden", "a proxy before the server refuses it"] as const
    : status >= 502 && status <= 504
    ? ["unavailable", "a proxy is there, and the server behind it does not answer"] as const
    : ["internal", "the answer is not that of a harness-ws-server, check --url"] as const;
  return new HarnessError(code, `${what}: it was answered ${status}; ${hint}`, {
    details: { status },
  });
}

/** The HTTP address of a WebSocket one. */
function httpUrl(url: string): string {
  return url.replace(/^ws(s?):/, "http$1:");
}
