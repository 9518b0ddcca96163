/**
 * Errors as HTTP responses: the same codes and the same JSON as on the WebSocket. And that of a missing part.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { type ErrorCode, HarnessError, toHarnessError } from "../../errors.ts";

const STATUS: { readonly [C in ErrorCode]?: number } = {
  parse_error: 400,
  invalid_request: 400,
  invalid_params: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  ambiguous: 409,
  already_exists: 409,
  conflict: 409,
  too_large: 413,
  package_invalid: 422,
  rate_limited: 429,
  cancelled: 400,
  unavailable: 503,
  storage_unavailable: 507,
  timeout: 504,
};

/** The HTTP response for a thrown value. */
export function errorResponse(thrown: unknown): Response {
  const error = toHarnessError(thrown);
  if (error.code === "internal") {
    getLogger(["harness", "server"]).error("Cannot answer an HTTP request: {error}", {
      error: error.cause ?? error,
    });
  }
  const { code } = error;
  const headers: Record<string, string> = {};
  if (code === "unauthorized") headers["www-authenticate"] = "Bearer";
  if (code === "unavailable") headers["retry-after"] = "1";
  if (code === "rate_limited") headers["retry-after"] = `${retryAfterSeconds(error)}`;
  // Here the client stopped sending; any other timeout is one of ours.
  const status = error.details?.["reason"] === "stalled" ? 408 : STATUS[code] ?? 500;
  return jsonResponse(errorBody(error), status, headers);
}

/**
 * The error, and the line in the log, for a part of the server that could not be loaded when it was needed. To be kept:
 * Deno does not load a module that it could not load once, so that only another process helps.
 */
export function notLoaded(part: string, cause: unknown): HarnessError {
  getLogger(["harness", "server"]).error("Cannot load {part}, restart the server: {cause}", {
    part,
    cause,
  });
  return new HarnessError(
    "unavailable",
    `Cannot do this: the server could not load ${part}; restart it, its log has the cause`,
    { cause },
  );
}

function retryAfterSeconds({ details }: HarnessError): number {
  const ms = details?.["retry_after_ms"];
  return typeof ms === "number" ? Math.ceil(ms / 1000) : 1;
}

/** The JSON body of an error. */
export function errorBody({ code, message, retryable, details }: HarnessError): unknown {
  if (code === "internal") {
    const hint = "Internal error: the server's log has the detail";
    return { error: { code, message: hint, retryable } };
  }
  return { error: { code, message, retryable, ...(details === undefined ? {} : { details }) } };
}

/** A JSON response that is neither cached nor sniffed. */
export function jsonResponse(
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): Response {
  return new Response(JSON.stringify(body) + "\n", {
    status,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...headers,
    },
  });
}

/**
 * The URL of a request. Deno assembles it when it is read, and throws for an invalid Host.
 *
 * @throws {HarnessError} `invalid_request`.
 */
export function urlOf(request: Request): URL {
  try {
    return new URL(request.url);
  } catch (cause) {
    throw new HarnessError(
      "invalid_request",
      "Cannot read the request: its Host or its path is malformed",
      { cause },
    );
  }
}
