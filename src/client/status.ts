/**
 * Status of a client's connection.
 *
 * @module
 */
import type { HarnessError } from "../errors.ts";
import type { HelloData } from "../protocol/messages.ts";

/** A change of the connection. */
export type ClientStatus =
  | { /** Connected. */ type: "connected"; /** Its hello. */ hello: HelloData }
  | {
    /** The connection is lost; calls in flight have failed with `unavailable`. */
    type: "disconnected";
    /** Close code; 1006 where there was no close frame. */
    code: number;
    /** Why, where known. */
    reason: string;
    /** Whether the client will reconnect. */
    willReconnect: boolean;
  }
  | {
    /** The next attempt is scheduled. */
    type: "reconnecting";
    /** 1 for the first attempt after the connection was lost. */
    attempt: number;
    /** Delay before it. */
    delayMs: number;
    /** Error of the last attempt, or `null` before the first. */
    error: HarnessError | null;
  }
  | {
    /** The event streams resume without a gap. */
    type: "resumed";
    /** Lineage of the server's data. */
    epoch: string;
    /** The server's seq. */
    seq: number;
    /** Whether missed events follow. */
    replayed: boolean;
  }
  | {
    /** Missed events are gone: the event streams get a snapshot instead. */
    type: "snapshot";
    /** Lineage of the server's data. */
    epoch: string;
    /** The server's seq. */
    seq: number;
  }
  | {
    /** The server is about to shut down. */
    type: "draining";
    /** Why. */
    reason: string;
    /** Least delay before reconnecting. */
    reconnectAfterMs: number;
  }
  | {
    /** The client is closed. */
    type: "closed";
    /** How it ended. */
    closure: ClientClosure;
  };

/** How a client was closed. */
export interface ClientClosure {
  /** Last close code. */
  code: number;
  /** Why, where known. */
  reason: string;
  /** The error that ended it, or `null` after `close()`. */
  error: HarnessError | null;
}
