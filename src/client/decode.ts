/**
 * Decodes frames into messages, and failures into {@linkcode HarnessError}s.
 *
 * Only the envelope is checked: additions of later servers must not break this client.
 *
 * @module
 */
import { HarnessError, type HarnessErrorOptions, isErrorCode } from "../errors.ts";
import type { ServerMessage, WireError } from "../protocol/messages.ts";
import { connectFailure, FAILURE_TEXTS, type FailureReport } from "./connect_failure.ts";
import { isSilent, UPGRADE_REQUIRED } from "./handshake_probe.ts";
import { handshakeAnswerError, type HttpAnswer } from "./http_answer.ts";
import type { Closure } from "./backoff.ts";
import { isObject } from "../util/json.ts";

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

/** The error of a connection that ended before hello. `probe` is how a plain request to the same address failed. */
export function handshakeError(
  url: string,
  closure: Closure,
  probe: FailureReport | null = null,
): HarnessError {
  if (closure.code === 1002) {
    return new HarnessError(
      "invalid_request",
      `Cannot talk to ${url}: ${closure.reason}; is it a harness-ws-server?`,
    );
  }
  const status = statusIn(closure.reason);
  if (status !== null) return statusError(url, { status });
  const own = { code: null, text: closure.reason };
  const reason = connectFailure(probe === null ? [own] : [probe, own]);
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
  const isOurs = answer.status === UPGRADE_REQUIRED;
  const why = isOurs
    ? "it accepts HTTP requests with this token, but refused the WebSocket handshake"
    : "a web server answered instead of a harness-ws-server; check the address, and that a proxy " +
      "in between passes WebSocket upgrades";
  return new HarnessError(
    isOurs ? "unavailable" : "unreachable",
    `${what}: HTTP status ${answer.status}; ${why}`,
    { details: { status: answer.status, ...(isOurs ? {} : { reason: "wrong_address" }) } },
  );
}

/** The error of a handshake of which only a second one's status is known: the first may have failed for a moment. */
export function uncertainRefusal(url: string, status: number): HarnessError {
  return new HarnessError(
    "unavailable",
    `Cannot connect to ${url}: HTTP status ${status}, maybe not of the WebSocket handshake but of another one over HTTP/2; ` +
      "a proxy in between may have no server at the moment, or not pass WebSockets on",
    { details: { status } },
  );
}
