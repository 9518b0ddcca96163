/**
 * The three kinds of message of `harness.v1`: request, response and event.
 *
 * @module
 */
import type { ErrorCode } from "../errors.ts";
import type { WireEventMap, WireEventType } from "./events.ts";

export type {
  DrainingData,
  HelloData,
  RegistryLoadedData,
  ServiceLogData,
  WireEventMap,
  WireEventType,
} from "./events.ts";

/** The protocol version spoken here. */
export const PROTOCOL_VERSION = 1;
/** The WebSocket subprotocol of {@linkcode PROTOCOL_VERSION}. */
export const SUBPROTOCOL = "harness.v1";
/** Prefix of the subprotocol by which a browser sends its token: `harness.token.<base64url>`. */
export const TOKEN_SUBPROTOCOL_PREFIX = "harness.token.";

/** Client to server: do something. */
export interface RequestMessage {
  /** Chosen by the client; the response carries it. */
  id: string;
  /** Always `request`. */
  type: "request";
  /** Which action: see {@linkcode ActionMap}. Unknown ones are answered with `unknown_action`. */
  action: string;
  /** The action's params. @default {{}} */
  params?: unknown;
}

/** The error of a response. */
export interface WireError {
  /** Stable code. */
  code: ErrorCode;
  /** One sentence for people. */
  message: string;
  /** Whether the same request may succeed when sent again unchanged. */
  retryable: boolean;
  /** Facts a program can use. */
  details?: Record<string, unknown>;
}

/** Server to client: how a request ended. `id` is `null` only when the request's could not be read. */
export type ResponseMessage =
  | { id: string | null; type: "response"; data: unknown }
  | { id: string | null; type: "response"; error: WireError };

/** Server to client: something happened. `hello`, `server_draining` and `service_log` have no `seq`. */
export type EventMessage = {
  [T in WireEventType]: {
    type: "event";
    event: T;
    seq?: number;
    time: string;
    data: WireEventMap[T];
  };
}[WireEventType];

/** Anything the server sends. */
export type ServerMessage = ResponseMessage | EventMessage;

/** Why the server closed a connection. */
export const CLOSE_CODES = {
  /** The server shuts down: reconnect after the delay of `server_draining`. */
  shutdown: 1001,
  /** A message was over the limit: do not resend it. */
  too_big: 1009,
  /** Too many bad messages: fix the client, do not reconnect. */
  bad_messages: 4400,
  /** The token was revoked, has expired, or its rights changed: the handshake returns which. */
  unauthorized: 4401,
  /** The client did not read fast enough: reconnect and resume. */
  slow_consumer: 4408,
  /** Too many requests: reconnect after a pause. */
  rate_limited: 4429,
} as const;
