/**
 * The interface between `serve()` and its listener.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { HarnessError, messageOf } from "../../errors.ts";
import type { Admission } from "../access/upgrade.ts";

/** Names of the listener: there were two once, and commands and programs that name one go on working. */
export const LISTENERS = ["deno", "ws"] as const;

/** One of {@linkcode LISTENERS}; both are the same. */
export type ListenerName = (typeof LISTENERS)[number];

/** Where and how to listen. */
export interface ListenOptions {
  /** Address. */
  hostname: string;
  /** Port; 0 takes a free one. */
  port: number;
  /** Time to send all request headers. */
  headersTimeoutMs: number;
  /** Certificate and key, PEM. */
  tls?: { cert: string; key: string };
}

/** What a server loads before its first client. */
export interface WarmUpOptions {
  /** Also what checks and runs requests: most of the work, and of the memory. @default {true} */
  rules?: boolean;
}

/** A running listener. */
export interface Listener {
  /** The port in use. */
  readonly port: number;
  /**
   * Uses another certificate for new connections; those that are open keep theirs.
   *
   * @throws {HarnessError} `unavailable` without TLS, and on a runtime that cannot.
   */
  setTls(tls: NonNullable<ListenOptions["tls"]>): void;
  /** Loads what the first client needs. Rejects where that fails. */
  warmUp(options: WarmUpOptions): Promise<void>;
  /** Stops accepting, lets HTTP requests finish for `graceMs`, then aborts them. Called once. */
  close(graceMs: number): Promise<void>;
}

/** An upgrade that was accepted, its 101 not sent yet. */
export interface Upgrade {
  /** The request. */
  readonly request: IncomingMessage;
  /** Its connection. */
  readonly socket: Duplex;
  /** What arrived after the request. */
  readonly head: Buffer;
  /** The decision. */
  readonly admission: Admission;
}

/** Makes WebSockets. */
export interface Sockets {
  /** Completes a handshake, and opens a connection of the handler. Never throws. */
  accept(upgrade: Upgrade): void;
  /** Stops what it does at intervals. */
  close(): void;
}

/** An address at which the process reaches its own listener. */
export function ownAddress({ hostname }: ListenOptions): string {
  if (hostname === "0.0.0.0") return "127.0.0.1";
  return hostname === "::" || hostname === "[::]" ? "::1" : hostname;
}

/** System errors for an address that cannot be listened on; Deno has no code for some. */
const ADDRESS_PROBLEMS = [
  {
    reason: "address_not_local",
    codes: ["EADDRNOTAVAIL"],
    text: /cannot assign|not available|EINVAL/i,
    why: "this machine has no such address",
  },
  {
    reason: "unknown_host",
    codes: ["ENOTFOUND", "EAI_AGAIN"],
    text: /lookup address|getaddrinfo/i,
    why: "there is no host of that name",
  },
];

/** The error for a listen that failed, with `details.reason` where the cause is known. */
export function listenError(options: ListenOptions, cause: unknown): HarnessError {
  const { hostname, port } = options;
  const address = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  const code = (cause as { code?: unknown })?.code;
  const name = cause instanceof Error ? cause.name : "";
  if (code === "EADDRINUSE" || name === "AddrInUse") {
    return new HarnessError(
      "unavailable",
      `Cannot listen on ${address}: another program uses this port; stop it or choose another port`,
      { cause, details: { address, reason: "port_in_use" } },
    );
  }
  if (code === "EACCES" || code === "EPERM" || name === "PermissionDenied") {
    return new HarnessError(
      "forbidden",
      `Cannot listen on ${address}: this user may not use the port; choose one above 1023`,
      { cause, details: { address } },
    );
  }
  const text = messageOf(cause);
  const problem = ADDRESS_PROBLEMS.find((one) =>
    one.codes.includes(String(code)) || one.text.test(text)
  );
  const why = problem?.why ?? `${text}; check the address and the certificate`;
  return new HarnessError("invalid_params", `Cannot listen on ${address}: ${why}`, {
    cause,
    details: { address, ...(problem && { reason: problem.reason }) },
  });
}
