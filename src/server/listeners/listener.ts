/**
 * What a listener is to `serve()`.
 *
 * @module
 */
import { HarnessError, messageOf } from "../../errors.ts";

/** Where and how to listen. */
export interface ListenOptions {
  /** Address. */
  hostname: string;
  /** Port; 0 takes a free one. */
  port: number;
  /** Time to send all request headers, where the listener can enforce it. */
  headersTimeoutMs: number;
  /** Certificate and key, PEM. */
  tls?: { cert: string; key: string };
}

/** Something that listens. */
export interface Listener {
  /** The port in use. */
  readonly port: number;
  /** Accepts nothing new, lets HTTP requests finish for `graceMs`, then cuts them off. Called once. */
  close(graceMs: number): Promise<void>;
}

/** An address under which we reach our own listener. */
export function ownAddress({ hostname }: ListenOptions): string {
  if (hostname === "0.0.0.0") return "127.0.0.1";
  return hostname === "::" || hostname === "[::]" ? "::1" : hostname;
}

/** The error for a listen that failed: what, why, and what to do. */
export function listenError(options: ListenOptions, cause: unknown): HarnessError {
  const address = `${options.hostname}:${options.port}`;
  const code = (cause as { code?: unknown })?.code;
  const name = cause instanceof Error ? cause.name : "";
  if (code === "EADDRINUSE" || name === "AddrInUse") {
    return new HarnessError(
      "unavailable",
      `Cannot listen on ${address}: another program uses this port, stop it or choose another with --listen`,
      { cause, details: { address } },
    );
  }
  if (code === "EACCES" || code === "EPERM" || name === "PermissionDenied") {
    return new HarnessError(
      "forbidden",
      `Cannot listen on ${address}: this user may not use the port, choose one above 1023`,
      { cause, details: { address } },
    );
  }
  return new HarnessError(
    "invalid_params",
    `Cannot listen on ${address}: ${messageOf(cause)}, check the address and the certificate`,
    { cause, details: { address } },
  );
}
