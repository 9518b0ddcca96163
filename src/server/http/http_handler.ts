/**
 * HTTP requests: health, version, packages, and a hint for requests that lack the upgrade.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { HarnessError, toHarnessError } from "../../errors.ts";
import { MAX_SIGNATURE_FILE_BYTES } from "../../model/limits.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "../../protocol/messages.ts";
import { SERVER_NAME, VERSION } from "../../version.ts";
import type { ActionBackends } from "../actions/action_handler.ts";
import { auditEntry } from "../access/audit.ts";
import type { Authenticator } from "../access/auth.ts";
import type { Packages } from "../backends.ts";
import { rulesProblem } from "../connection/request_rules.ts";
import { errorBody, errorResponse, jsonResponse, urlOf } from "./http_errors.ts";
import { SIGNATURE_SUFFIX } from "../packages/package_signatures.ts";
import { movingChunks } from "./transfers.ts";
import { type Client, requireRight } from "../access/rights.ts";
import { requireCoveredPackage } from "../access/scope.ts";

/** The parts of the server that HTTP requests use. */
export interface HttpHost {
  /** Registry and backends. */
  readonly backends: Pick<ActionBackends, "registry" | "packages" | "audit">;
  /** Host, Origin and token checks. */
  readonly auth: Pick<Authenticator, "check" | "tokenFile">;
  /** Whether the server is shutting down. */
  readonly draining: boolean;
  /** IP address of the peer, where the listener knows it. */
  readonly address?: string | undefined;
  /** Stall timeout of a request's body. */
  readonly stallMs: number;
}

/** Answers a request without an upgrade. Never throws. */
export async function respond(request: Request, host: HttpHost): Promise<Response> {
  try {
    return await route(request, host);
  } catch (error) {
    return errorResponse(error);
  }
}

async function route(request: Request, host: HttpHost): Promise<Response> {
  const { pathname } = urlOf(request);
  if (pathname === "/packages" || pathname.startsWith("/packages/")) {
    return await packages(request, pathname, host);
  }
  // A client whose handshake failed without a reason checks its token here.
  if (pathname === "/" && request.headers.has("authorization")) host.auth.check(request);
  const answer = await fixedAnswer(pathname, host, request);
  if (answer === null) {
    throw new HarnessError(
      "not_found",
      `Cannot find ${
        pathname.slice(0, 128)
      }: there are /healthz, /readyz, /version, /packages and the WebSocket at /`,
    );
  }
  if (!["GET", "HEAD"].includes(request.method)) return wrongMethod("GET, HEAD");
  return answer;
}

function fixedAnswer(
  pathname: string,
  host: HttpHost,
  request: Request,
): Response | null | Promise<Response> {
  switch (pathname) {
    case "/":
      return new Response(
        `This is the WebSocket of ${SERVER_NAME}: connect with ws:// and the subprotocol ${SUBPROTOCOL}.\n`,
        {
          status: 426,
          headers: {
            "content-type": "text/plain; charset=utf-8",
            // nginx passes the first on to clients over HTTP/2, for which it is an error.
            ...(request.headers.has("x-forwarded-for")
              ? {}
              : { "upgrade": "websocket", "connection": "upgrade" }),
          },
        },
      );
    case "/healthz":
      return jsonResponse({ status: "ok" });
    case "/readyz":
      return readiness(host);
    case "/version":
      return jsonResponse({ name: SERVER_NAME, version: VERSION, protocol: [PROTOCOL_VERSION] });
    default:
      return null;
  }
}

async function readiness({ backends, draining }: HttpHost): Promise<Response> {
  // Without a change nothing else would notice that the state directory is gone.
  await backends.registry.checkStorage();
  const problems = [
    ...(draining ? ["the server is shutting down"] : []),
    ...[backends.registry.problem, rulesProblem()].filter((problem) => problem !== null),
  ];
  return problems.length === 0
    ? jsonResponse({ status: "ready", seq: backends.registry.seq })
    : jsonResponse({ status: "not ready", problems }, 503);
}

async function packages(request: Request, path: string, host: HttpHost): Promise<Response> {
  const client = host.auth.check(request);
  const store = host.backends.packages;
  if (store === undefined) {
    throw new HarnessError("unavailable", "Cannot use /packages: this server has no package store");
  }
  const file = decodeURIComponentSafe(path.slice("/packages/".length));
  const { method } = request;
  if (file === "") {
    if (method !== "GET") return wrongMethod("GET");
    const all = await store.list();
    return jsonResponse(all.filter(({ name }) => client.scope?.coversPackage(name) ?? true));
  }
  if (method !== "PUT" && method !== "DELETE") {
    return await onPackage(request, file, store, client, host);
  }
  const told = (outcome: { error?: HarnessError }) =>
    host.backends.audit?.(auditEntry(client, `${method} package`, { package: file }, outcome));
  try {
    const response = await onPackage(request, file, store, client, host);
    told({});
    return response;
  } catch (error) {
    told({ error: toHarnessError(error) });
    throw error;
  }
}

/** Sends or changes one package or signature. */
async function onPackage(
  request: Request,
  file: string,
  store: Packages,
  { access, scope, revoked }: Client,
  host: HttpHost,
): Promise<Response> {
  const { method } = request;
  const { address, auth: { tokenFile } } = host;
  if (file.endsWith(SIGNATURE_SUFFIX)) {
    const right = method === "PUT" || method === "DELETE" ? "control" : "content";
    requireRight(right, access, `${method} a signature`, tokenFile);
    const { stallMs } = host;
    const signed = file.slice(0, -SIGNATURE_SUFFIX.length);
    requireCoveredPackage(scope, signed);
    return await signature(request, signed, { store, stallMs });
  }
  if (method === "GET" || method === "HEAD") {
    // A package may hold secrets that other users of this machine must not read.
    requireRight("content", access, `${method} a package`, tokenFile);
    requireCoveredPackage(scope, file);
    return await download(file, store, { address, headOnly: method === "HEAD", revoked });
  }
  if (method !== "PUT" && method !== "DELETE") return wrongMethod("GET, HEAD, PUT, DELETE");
  requireRight("control", access, `${method} a package`, tokenFile);
  requireCoveredPackage(scope, file);
  if (method === "PUT") return await upload(request, file, { store, address, revoked });
  await store.remove(file);
  return new Response(null, { status: 204 });
}

/** `/packages/<file>.minisig`. */
async function signature(
  request: Request,
  file: string,
  { store, stallMs }: { store: Packages; stallMs: number },
): Promise<Response> {
  const { method } = request;
  if (store.putSignature === undefined || store.getSignature === undefined) {
    throw new HarnessError(
      "unavailable",
      "Cannot use a signature: this server has no store for signatures",
    );
  }
  if (method === "GET" || method === "HEAD") {
    const text = await store.getSignature(file);
    const headers = { "content-type": "text/plain; charset=utf-8" };
    return new Response(method === "HEAD" ? null : text, { headers });
  }
  if (method === "PUT") {
    await store.putSignature(file, await smallText(request, stallMs));
    return jsonResponse({ file: file + SIGNATURE_SUFFIX }, 201);
  }
  if (method !== "DELETE" || store.removeSignature === undefined) {
    return wrongMethod("GET, HEAD, PUT, DELETE");
  }
  await store.removeSignature(file);
  return new Response(null, { status: 204 });
}

/** Reads a body that is a signature file, up to the size limit of one. */
async function smallText(request: Request, stallMs: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const body = request.body ?? new Blob([]).stream();
  for await (const chunk of movingChunks(body, stallMs)) {
    size += chunk.length;
    if (size > MAX_SIGNATURE_FILE_BYTES) {
      throw new HarnessError(
        "too_large",
        `Cannot store the signature: it exceeds ${MAX_SIGNATURE_FILE_BYTES} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The signature that came with a package, in a header because it is small and belongs to this upload. */
function signatureIn(headers: Headers): string | null {
  const value = headers.get("x-minisign-signature");
  return value === null ? null : Buffer.from(value, "base64").toString("utf8");
}

async function upload(
  request: Request,
  file: string,
  { store, address, revoked }: {
    store: Packages;
    address: string | undefined;
    revoked: AbortSignal | undefined;
  },
): Promise<Response> {
  const { searchParams } = urlOf(request);
  const sha256 = expectedDigest(request.headers);
  const size = Number(request.headers.get("content-length") ?? 0);
  const body = request.body ?? new Blob([]).stream();
  const signature = signatureIn(request.headers);
  const info = await store.put(file, body, {
    force: ["1", "true"].includes(searchParams.get("force") ?? ""),
    ...(Number.isSafeInteger(size) ? { size } : {}),
    ...(address === undefined ? {} : { address }),
    ...(revoked === undefined ? {} : { signal: revoked }),
    ...(sha256 === null ? {} : { sha256 }),
    ...(signature === null ? {} : { signature }),
  });
  return jsonResponse(info, 201);
}

/** The expected digest, from `X-Content-SHA256` (hex) or `Content-Digest` (RFC 9530). */
function expectedDigest(headers: Headers): string | null {
  const refused = (why: string) =>
    new HarnessError("invalid_params", `Cannot store the package: ${why}`);
  const ours = headers.get("x-content-sha256")?.trim().toLowerCase() ?? null;
  if (ours !== null && !/^[0-9a-f]{64}$/.test(ours)) {
    throw refused("X-Content-SHA256 must be 64 hex digits");
  }
  // Digests by other algorithms may be listed beside it and are ignored.
  const sha256 = (headers.get("content-digest") ?? "").split(",")
    .map((one) => one.trim()).find((one) => /^sha-256\b/i.test(one));
  if (sha256 === undefined) return ours;
  const base64 = /^sha-256=:([A-Za-z0-9+/]{43}=):$/.exec(sha256)?.[1];
  if (base64 === undefined) throw refused("Content-Digest must be sha-256=:<base64>:");
  const theirs = Buffer.from(base64, "base64").toString("hex");
  if (ours !== null && ours !== theirs) {
    throw refused("X-Content-SHA256 and Content-Digest are not the same digest");
  }
  return theirs;
}

async function download(
  file: string,
  store: Packages,
  { address, headOnly, revoked }: {
    address: string | undefined;
    headOnly: boolean;
    revoked: AbortSignal | undefined;
  },
): Promise<Response> {
  const { info, body } = await store.get(file, address);
  if (headOnly) await body.cancel();
  return new Response(headOnly ? null : until(revoked, body), {
    headers: {
      "content-type": "application/gzip",
      "content-length": String(info.size),
      "content-disposition": `attachment; filename="${info.file}"`,
      "etag": `"${info.sha256}"`,
      "x-content-sha256": info.sha256,
      "x-content-type-options": "nosniff",
    },
  });
}

/** A body that is cut off when its reader's token is revoked. */
function until(
  revoked: AbortSignal | undefined,
  body: ReadableStream<Uint8Array>,
): ReadableStream<Uint8Array> {
  return revoked === undefined
    ? body
    : body.pipeThrough(new TransformStream(), { signal: revoked });
}

function decodeURIComponentSafe(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HarnessError("invalid_params", "Cannot read the path: its % escapes are broken");
  }
}

function wrongMethod(allow: string): Response {
  const error = new HarnessError(
    "invalid_request",
    `Method not allowed: use ${allow}`,
  );
  return jsonResponse(errorBody(error), 405, { allow });
}
