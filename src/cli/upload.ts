/**
 * Hands a package file to the server.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { HarnessError, isErrorCode, messageOf } from "../errors.ts";
import type { PackageInfo } from "../protocol/actions.ts";
import { type ClientFlags, serverAccess, trustedClient } from "./connect.ts";
import type { Context } from "./context.ts";
import { unreadable } from "./secrets.ts";
import { showSize } from "./values.ts";

/** Options for {@linkcode uploadPackage}. */
export interface UploadOptions {
  /** Replace a package of the same name and version that has other bytes. @default {false} */
  force?: boolean;
}

/** The size and the SHA-256 of a file. */
export async function digestOf(path: string): Promise<{ size: number; sha256: string }> {
  const hash = createHash("sha256");
  let size = 0;
  try {
    const file = await Deno.open(path, { read: true });
    for await (const chunk of file.readable) {
      hash.update(chunk);
      size += chunk.length;
    }
  } catch (error) {
    throw unreadable({ place: "the package", path }, error);
  }
  return { size, sha256: hash.digest("hex") };
}

/**
 * Uploads the package at `path`; one that the server holds already is not sent again.
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
  const same = held.find((info) => info.file === file && info.sha256 === sha256);
  if (same !== undefined) {
    io.err(`${file} is on the server already\n`);
    return same;
  }
  io.err(`uploading ${file} (${showSize(size)})\n`);
  const { token, url: server } = await serverAccess(io, flags);
  const force = options.force === true ? "?force=1" : "";
  const url = new URL(`/packages/${encodeURIComponent(file)}${force}`, httpUrl(server));
  const body = (await Deno.open(path, { read: true })).readable;
  const trusted = await trustedClient(flags);
  let response: Response;
  try {
    response = await fetch(url, {
      method: "PUT",
      body,
      signal: io.interrupted,
      ...(trusted === null ? {} : { client: trusted }),
      headers: {
        "content-type": "application/gzip",
        "x-content-sha256": sha256,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
    });
  } catch (error) {
    io.interrupted.throwIfAborted();
    throw new HarnessError(
      "unreachable",
      `Cannot upload ${file}: ${messageOf(error)}; try again, or see the server's log`,
      {
        cause: error,
      },
    );
  }
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusal(file, response.status, answer);
  return answer as PackageInfo;
}

/** The error in a refusal of the server, or of a proxy before it. */
function refusal(file: string, status: number, answer: unknown): HarnessError {
  const error = (answer as { error?: { code?: unknown; message?: unknown } } | null)?.error;
  if (!isErrorCode(error?.code) || typeof error.message !== "string") {
    return proxyRefusal(file, status);
  }
  return new HarnessError(
    error.code,
    `Cannot upload ${file}: ${error.message.replace(/^Cannot (?:[^:"]|"[^"]*")+: /, "")}`,
    { details: { status } },
  );
}

/** The error for an answer that is not the server's own. */
function proxyRefusal(file: string, status: number): HarnessError {
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
  return new HarnessError(code, `Cannot upload ${file}: it was answered ${status}; ${hint}`, {
    details: { status },
  });
}

/** The HTTP address of a WebSocket one. */
function httpUrl(url: string): string {
  return url.replace(/^ws(s?):/, "http$1:");
}
