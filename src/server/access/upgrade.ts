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

/** Whether a request asks for a WebSocket upgrade. */
export function isUpgrade(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
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
  if (request.method !== "GET" || !headers.has("sec-websocket-key") || !headers.has("host")) {
    return errorResponse(
      new HarnessError(
        "invalid_request",
        "Cannot upgrade: the request is not a WebSocket handshake",
      ),
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
