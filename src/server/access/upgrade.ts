/**
 * Decides on a WebSocket upgrade: all checks before the 101.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX } from "../../protocol/messages.ts";
import { type Authenticator, offeredProtocols } from "./auth.ts";
import { errorBody, errorResponse, jsonResponse, urlOf } from "../http/http_errors.ts";
import type { Client } from "./rights.ts";

/** A client whose upgrade was accepted. */
export interface Admission extends Client {
  /** The subprotocol to confirm, or `null` to confirm none. */
  protocol: string | null;
}

/** The decision on an upgrade request. */
export type UpgradeDecision =
  | { ok: true; admission: Admission }
  | { ok: false; response: Response };

/** Whether an `Upgrade` header asks for a WebSocket: it may list several protocols. */
export function asksForWebSocket(upgrade: string | undefined): boolean {
  const offered = upgrade?.toLowerCase().split(",") ?? [];
  return offered.some((protocol) => protocol.trim() === "websocket");
}

/** Checks path, handshake, Host, Origin, token and subprotocol, in this order. */
export function decideUpgrade(
  request: Request,
  auth: Pick<Authenticator, "check">,
): UpgradeDecision {
  try {
    const problem = handshakeProblem(request);
    if (problem !== null) return { ok: false, response: problem };
    const client = auth.check(request);
    return { ok: true, admission: { ...client, protocol: chooseProtocol(request) } };
  } catch (error) {
    return { ok: false, response: errorResponse(error) };
  }
}

function handshakeProblem(request: Request): Response | null {
  const { pathname } = urlOf(request);
  if (pathname !== "/") {
    return errorResponse(
      new HarnessError("not_found", `Cannot open a WebSocket at ${pathname.slice(0, 128)}: use /`),
    );
  }
  const { headers } = request;
  if (
    request.method !== "GET" || !isKey(headers.get("sec-websocket-key")) || !headers.has("host")
  ) {
    return errorResponse(
      new HarnessError(
        "invalid_request",
        "Cannot upgrade: the request is not a WebSocket handshake",
      ),
    );
  }
  if (mayHaveBody(headers)) {
    return errorResponse(
      new HarnessError("invalid_request", "Cannot upgrade: a WebSocket handshake has no body"),
    );
  }
  if (request.headers.get("sec-websocket-version") !== "13") {
    const error = new HarnessError(
      "invalid_request",
      "Cannot upgrade: the server supports WebSocket version 13 only",
    );
    const headers = { "upgrade": "websocket", "sec-websocket-version": "13" };
    return jsonResponse(errorBody(error), 426, headers);
  }
  return null;
}

/** Whether it is 16 bytes in base64, as RFC 6455 has it. */
function isKey(key: string | null): boolean {
  return key !== null && /^[A-Za-z0-9+/]{22}==$/.test(key.trim());
}

/**
 * Whether a request announces a body. `Content-Length: 0` is none, and the JDK's client sends it always. Anything
 * else is refused: a proxy and this server could disagree on where the frames begin.
 */
function mayHaveBody(headers: Headers): boolean {
  return headers.has("transfer-encoding") || (headers.get("content-length") ?? "0") !== "0";
}

/** The subprotocol to confirm; a client that offers none uses version 1. */
function chooseProtocol(request: Request): string | null {
  const offered = offeredProtocols(request).filter((p) => !p.startsWith(TOKEN_SUBPROTOCOL_PREFIX));
  if (offered.length === 0) return null;
  if (offered.includes(SUBPROTOCOL)) return SUBPROTOCOL;
  throw new HarnessError(
    "invalid_request",
    `Cannot upgrade: none of the offered subprotocols is supported; the server supports ${SUBPROTOCOL}`,
    { details: { supported: [SUBPROTOCOL] } },
  );
}
