/**
 * Errors of connections: `unreachable` with step and reason, and a hint on what to do.
 *
 * @module
 */
import { hostname } from "node:os";
import { HarnessError, messageOf } from "../../errors.ts";
import type { ConnectStep, Hop, UnreachableReason } from "./types.ts";

/** An `unreachable` error, the only kind that is thrown about connections. */
export function unreachable(
  hop: Pick<Hop, "label" | "address" | "port">,
  step: ConnectStep,
  reason: UnreachableReason,
  why: string,
  cause?: unknown,
): HarnessError {
  const at = hop.address === hop.label
    ? `${hop.label} port ${hop.port}`
    : `${hop.label} (${hop.address} port ${hop.port})`;
  return new HarnessError("unreachable", `Cannot reach ${at}: ${why}`, {
    details: { host: hop.label, address: hop.address, port: hop.port, step, reason },
    ...(cause === undefined ? {} : { cause }),
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** The error of a failed TCP connection. */
export function connectError(hop: Hop, error: unknown): HarnessError {
  const code = codeOf(error);
  const text = `${code} ${messageOf(error)}`;
  if (/ECONNREFUSED|refused/i.test(text)) {
    const why = "connection refused; is sshd running there, and is the port right?";
    return unreachable(hop, "connect", "refused", why, error);
  }
  if (/ENOTFOUND|EAI_|ENODATA|lookup|resolve/i.test(text)) {
    const why = `the name cannot be resolved (${
      code || "DNS"
    }); check the name, HostName in ssh_config, and DNS`;
    return unreachable(hop, "connect", "dns", why, error);
  }
  if (/ETIMEDOUT/i.test(text)) {
    const why = "no response; is the host up, and does a firewall drop the packets?";
    return unreachable(hop, "connect", "timeout", why, error);
  }
  if (/ECONNRESET|EPIPE/i.test(text)) return resetError(hop, error);
  const why = `${messageOf(error)}; check the network route to the host`;
  return unreachable(hop, "connect", "refused", why, error);
}

/** The server dropped the connection before the key exchange was complete. */
function resetError(hop: Hop, cause?: unknown): HarnessError {
  return unreachable(
    hop,
    "handshake",
    "reset",
    "the connection was dropped before the key exchange; sshd does that when too many log in at once" +
      " (MaxStartups) or after failed logins (PerSourcePenalties, OpenSSH 9.8 and newer): deploy to fewer" +
      " hosts at once, or wait a minute; is it an SSH server at all?",
    cause,
  );
}

/** Connecting to one hop timed out. */
export function timeoutError(hop: Hop, step: ConnectStep, timeoutMs: number): HarnessError {
  const where = {
    connect: "no response; is the host up, and does a firewall drop the packets?",
    handshake: "the key exchange did not complete; is it an SSH server, or overloaded?",
    host_key: "the host key could not be checked in time",
    auth: "the login did not complete; is the host overloaded, or its user directory slow?",
    run: "no response",
  }[step];
  return unreachable(hop, step, "timeout", `${where} (waited ${timeoutMs} ms)`);
}

/** Authentication failed. */
export function authError(hop: Hop, summary: string, cause?: unknown): HarnessError {
  const tooMany = /too many authentication/i.test(messageOf(cause));
  const hint = tooMany
    ? "the server limits the number of keys: name one with --identity, or set IdentitiesOnly yes"
    : `add the public key to authorized_keys of ${hop.user} there, or name another key or user`;
  return unreachable(
    hop,
    "auth",
    "auth",
    `login as ${hop.user} was refused (${summary}); ${hint}`,
    cause,
  );
}

/** The key file named for this host cannot be read on this machine, which is often a server. */
export function keyFileError(hop: Hop, path: string, cause: unknown): HarnessError {
  const words: Record<string, string> = {
    ENOENT: "there is no such file",
    EACCES: "permission denied",
    EISDIR: "it is a directory",
  };
  const why = words[codeOf(cause)] ?? messageOf(cause);
  return unreachable(
    hop,
    "auth",
    "auth",
    `the identity file ${path} cannot be read on ${ourName()}, where the connection is made: ` +
      `${why}; name a private key there`,
    cause,
  );
}

/** The name of this machine; narrow permissions may hide it. */
function ourName(): string {
  try {
    return hostname();
  } catch {
    return "this machine";
  }
}

/** An error of ssh2, by the step that the connection had reached. */
export function protocolError(hop: Hop, step: ConnectStep, error: unknown): HarnessError {
  const message = messageOf(error);
  if (step === "connect" || step === "handshake") {
    const dropped = /ECONNRESET|EPIPE|lost before handshake|reset by peer/i.test(
      `${codeOf(error)} ${message}`,
    );
    if (dropped) return resetError(hop, error);
    const why = `the key exchange failed: ${message}; does the server offer modern algorithms?`;
    return unreachable(hop, step, "closed", why, error);
  }
  const why = `the connection broke: ${message}`;
  return unreachable(hop, step, "closed", why, error);
}
