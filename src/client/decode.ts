/**
 * From frames to messages, and from what went wrong to a {@linkcode HarnessError}.
 *
 * Only the envelope is checked: what a server adds later must not break a client of today.
 *
 * @module
 */
import { type ErrorCode, HarnessError, type HarnessErrorOptions, isErrorCode } from "../errors.ts";
import type { ServerMessage, WireError } from "../protocol/messages.ts";
import { isSilent } from "./handshake_probe.ts";
import type { Closure } from "./backoff.ts";

/** The message in a text frame, or `null` when it is none. */
export function decodeServerMessage(text: string): ServerMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(value)) return null;
  if (value["type"] === "event") {
    const fine = typeof value["event"] === "string" && isObject(value["data"]) &&
      (value["seq"] === undefined || Number.isSafeInteger(value["seq"]));
    return fine ? value as unknown as ServerMessage : null;
  }
  if (value["type"] !== "response") return null;
  if (value["id"] !== null && typeof value["id"] !== "string") return null;
  if ("error" in value) {
    const error = value["error"];
    if (!isObject(error) || typeof error["message"] !== "string") return null;
    return value as unknown as ServerMessage;
  }
  return "data" in value ? value as unknown as ServerMessage : null;
}

/** The error of a response. A code that a later server invented becomes `internal`, its name kept in the details. */
export function harnessErrorOf(wire: WireError): HarnessError {
  const known = isErrorCode(wire.code);
  const options: HarnessErrorOptions = {};
  if (wire.details !== undefined) options.details = wire.details;
  if (!known) options.details = { ...wire.details, code: wire.code };
  return new HarnessError(known ? wire.code : "internal", wire.message, options);
}

const STATUS_CODES: Readonly<Record<number, ErrorCode>> = {
  400: "invalid_request",
  401: "unauthorized",
  403: "forbidden",
  407: "unauthorized",
  413: "too_large",
  429: "rate_limited",
  502: "unavailable",
  503: "unavailable",
  504: "unavailable",
};

const STATUS_HINTS: Readonly<Record<number, string>> = {
  401: "the server wants a token, or does not know this one",
  403: "the server does not accept this Origin or Host",
  407: "a proxy on the way wants to know who you are",
  413: "a proxy on the way takes no request of this size",
  429: "the server wants fewer connections",
  502: "a proxy is there, and the server behind it is not",
  503: "the server is full or shutting down",
  504: "a proxy is there, and the server behind it does not answer",
};

/** Why no connection was made: `details.reason` of the `unreachable` error. */
export type ConnectFailure =
  | "certificate_expired"
  | "certificate_is_authority"
  | "certificate_name"
  | "certificate_untrusted"
  | "not_http"
  | "not_tls"
  | "refused"
  | "unknown_host";

/** Deno reports these as text only; the first match counts. */
const CONNECT_FAILURES: ReadonlyArray<readonly [RegExp, ConnectFailure, why: string]> = [
  [/tcp connect error$/, "refused", "nothing accepts connections there"],
  [/dns error$/, "unknown_host", "there is no host of that name"],
  [/received corrupt message of type \w+$/, "not_tls", "the server does not use TLS"],
  [/invalid HTTP version parsed$/, "not_http", "the server does not speak HTTP"],
  [
    /certificate: .*CaUsedAsEndEntity/s,
    "certificate_is_authority",
    "the server's certificate is that of an authority",
  ],
  [
    /certificate: .*NotValidForName/s,
    "certificate_name",
    "the server's certificate is for another name",
  ],
  [/certificate: .*Expired/s, "certificate_expired", "the server's certificate has expired"],
  // What is reported of an untrusted certificate depends on the other side's TLS.
  [
    /certificate|NoApplicationProtocol/,
    "certificate_untrusted",
    "the server's certificate is not trusted",
  ],
];

/** What a connection that ended before its hello says to the caller, as far as it is known at once. */
export function handshakeError(url: string, closure: Closure): HarnessError {
  if (closure.code === 1002) {
    return new HarnessError(
      "invalid_request",
      `Cannot talk to ${url}: ${closure.reason}; is it a harness-ws-server?`,
    );
  }
  const status = statusIn(closure.reason);
  if (status !== null) return statusError(url, status);
  const [, reason, known] = CONNECT_FAILURES.find(([text]) => text.test(closure.reason)) ?? [];
  const why = known ?? (closure.reason || "it is unreachable, or it refused the handshake");
  return new HarnessError("unreachable", `Cannot connect to ${url}: ${why}`, {
    details: { close_code: closure.code, ...(reason && { reason }) },
    ...(reason && { cause: closure.reason }),
  });
}

/** The status in what a runtime said of a handshake: some tell it in the text of the error, and only there. */
export function statusIn(reason: string): number | null {
  const match = /(?:status code|server response|status)\D{0,3}([1-5]\d\d)\b/i.exec(reason);
  return match === null ? null : Number(match[1]);
}

/** The error for a handshake that was answered with an HTTP status. */
export function statusError(
  url: string,
  status: number,
  location: string | null = null,
): HarnessError {
  const isRedirect = status >= 300 && status < 400;
  const hint = isRedirect
    ? location === null ? "it redirects; connect to where it leads" : `it redirects to ${location}`
    : isSilent(status)
    ? "it took a plain request with this token and refused the WebSocket handshake"
    : STATUS_HINTS[status] ?? "is it a harness-ws-server?";
  const code = isRedirect
    ? "invalid_request"
    : isSilent(status)
    ? "unavailable"
    : STATUS_CODES[status] ?? "unreachable";
  return new HarnessError(code, `Cannot connect to ${url}: it answered ${status}; ${hint}`, {
    details: { status, ...(isRedirect && location !== null ? { location } : {}) },
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
