/**
 * Decodes frames into messages, and failures into {@linkcode HarnessError}s.
 *
 * Only the envelope is checked: additions of later servers must not break this client.
 *
 * @module
 */
import { HarnessError, type HarnessErrorOptions, isErrorCode } from "../errors.ts";
import type { ServerMessage, WireError } from "../protocol/messages.ts";
import { isSilent } from "./handshake_probe.ts";
import { handshakeAnswerError, type HttpAnswer } from "./http_answer.ts";
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

/** The error of a response. An unknown code becomes `internal`, with the code in the details. */
export function harnessErrorOf(wire: WireError): HarnessError {
  const known = isErrorCode(wire.code);
  const options: HarnessErrorOptions = {};
  if (wire.details !== undefined) options.details = wire.details;
  if (!known) options.details = { ...wire.details, code: wire.code };
  return new HarnessError(known ? wire.code : "internal", wire.message, options);
}

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

const FAILURE_TEXTS: Readonly<Record<ConnectFailure, string>> = {
  certificate_expired: "the server's certificate has expired",
  certificate_is_authority: "the server's certificate is a CA certificate",
  certificate_name: "the server's certificate is for another name",
  certificate_untrusted: "the server's certificate is not trusted",
  not_http: "the server does not speak HTTP",
  not_tls: "the server does not use TLS",
  refused: "connection refused",
  unknown_host: "unknown host",
};

/** Deno reports these as text only; the first match wins. */
const DENO_FAILURES: ReadonlyArray<readonly [RegExp, ConnectFailure]> = [
  [/tcp connect error$/, "refused"],
  [/dns error$/, "unknown_host"],
  [/received corrupt message of type \w+$/, "not_tls"],
  [/invalid HTTP version parsed$/, "not_http"],
  [/certificate: .*CaUsedAsEndEntity/s, "certificate_is_authority"],
  [/certificate: .*NotValidForName/s, "certificate_name"],
  [/certificate: .*Expired/s, "certificate_expired"],
  // The report of an untrusted certificate depends on the peer's TLS.
  [/certificate|NoApplicationProtocol/, "certificate_untrusted"],
];

/** Codes of the errors of Node and Bun. */
const FAILURE_CODES: Readonly<Record<string, ConnectFailure>> = {
  CERT_HAS_EXPIRED: "certificate_expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate_untrusted",
  EAI_AGAIN: "unknown_host",
  ECONNREFUSED: "refused",
  ENOTFOUND: "unknown_host",
  EPROTO: "not_tls",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "not_tls",
  ERR_SSL_WRONG_VERSION_NUMBER: "not_tls",
  ERR_TLS_CERT_ALTNAME_INVALID: "certificate_name",
  HPE_INVALID_CONSTANT: "not_http",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate_untrusted",
  UNABLE_TO_GET_ISSUER_CERT: "certificate_untrusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate_untrusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate_untrusted",
};

/** The error of a connection that ended before hello. `code` is that of a plain request to the same address. */
export function handshakeError(
  url: string,
  closure: Closure,
  code: string | null = null,
): HarnessError {
  if (closure.code === 1002) {
    return new HarnessError(
      "invalid_request",
      `Cannot talk to ${url}: ${closure.reason}; is it a harness-ws-server?`,
    );
  }
  const status = statusIn(closure.reason);
  if (status !== null) return statusError(url, { status });
  const [, inText] = DENO_FAILURES.find(([text]) => text.test(closure.reason)) ?? [];
  const reason = FAILURE_CODES[code ?? ""] ?? inText;
  const why = reason === undefined
    ? closure.reason || "unreachable, or the handshake was refused"
    : FAILURE_TEXTS[reason];
  return new HarnessError("unreachable", `Cannot connect to ${url}: ${why}`, {
    details: { close_code: closure.code, ...(reason && { reason }) },
    ...(reason && { cause: closure.reason }),
  });
}

/** The HTTP status of a refused handshake: some runtimes report it only in the error text. */
export function statusIn(reason: string): number | null {
  const match = /(?:status code|server response|status)\D{0,3}([1-5]\d\d)\b/i.exec(reason);
  return match === null ? null : Number(match[1]);
}

/** The error of a handshake that was refused with an HTTP status. */
export function statusError(url: string, answer: HttpAnswer): HarnessError {
  const what = `Cannot connect to ${url}`;
  if (!isSilent(answer.status)) return handshakeAnswerError(what, answer);
  return new HarnessError(
    "unavailable",
    `${what}: HTTP status ${answer.status}; ` +
      "it accepts HTTP requests with this token, but refused the WebSocket handshake",
    { details: { status: answer.status } },
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
