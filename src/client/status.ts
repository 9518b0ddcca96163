/**
 * What a client tells about its connection.
 *
 * @module
 */
import type { HarnessError } from "../errors.ts";
import type { HelloData } from "../protocol/messages.ts";

/** Something about the connection changed. */
export type ClientStatus =
  | { /** A connection is there. */ type: "connected"; /** Its hello. */ hello: HelloData }
  | {
    /** The connection is lost; calls that waited for a response have failed with `unavailable`. */
    type: "disconnected";
    /** Close code; 1006 where there was no close frame. */
    code: number;
    /** Why, where known. */
    reason: string;
    /** Whether the client will come back. */
    willReconnect: boolean;
  }
  | {
    /** The next attempt is scheduled. */
    type: "reconnecting";
    /** 1 for the first attempt after the connection was lost. */
    attempt: number;
    /** When it will be made. */
    delayMs: number;
    /** How the last attempt failed, or `null` before the first. */
    error: HarnessError | null;
  }
  | {
    /** The event streams go on without a gap: nothing was missed, or what was missed follows. */
    type: "resumed";
    /** Lineage of the server's data. */
    epoch: string;
    /** The server's seq. */
    seq: number;
    /** Whether missed events follow. */
    replayed: boolean;
  }
  | {
    /** Events were missed and cannot be had: the event streams get a snapshot instead. */
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
    /** When to come back at the earliest. */
    reconnectAfterMs: number;
  }
  | {
    /** The end: the client does nothing more. */
    type: "closed";
    /** How it ended. */
    closure: ClientClosure;
  };

/** How a client ended. */
export interface ClientClosure {
  /** Last close code. */
  code: number;
  /** Why, where known. */
  reason: string;
  /** What kept it from going on, or `null` when it was closed by its user. */
  error: HarnessError | null;
}
