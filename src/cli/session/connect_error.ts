/**
 * What to do about a connection that was refused or failed.
 *
 * @module
 */
import type { ConnectFailure } from "../../client/connect_failure.ts";
import { HarnessError, messageOf } from "../../errors.ts";
import { SERVER_NAME } from "../../version.ts";
import { HintedError } from "../output/hints.ts";

const START = `start one with \`${SERVER_NAME} serve\`, or name another with --url or HARNESS_URL`;

const HINTS: Readonly<Record<ConnectFailure, string>> = {
  refused: START,
  unknown_host: START,
  not_tls: "write its --url with ws:// instead of wss://",
  not_http: "if it is a server with TLS, write its --url with wss:// instead of ws://",
  certificate_is_authority:
    "give it one that is not an authority (CA:FALSE), and the authority as --tls-ca",
  certificate_name: "write the name in its certificate in --url",
  certificate_expired: "renew it on the server, or set the clock of this machine",
  certificate_not_yet_valid: "set the clock of this machine, or wait",
  closed: "check the address, the port, and a proxy or firewall in between",
  certificate_untrusted: "if it is your own, give its authority with --tls-ca",
};

/** The error for a connection that could not be made. `tokenPlace` is where the token came from, if there is one. */
export function notConnected(error: unknown, tokenPlace: string | null): unknown {
  const known = error instanceof HarnessError
    ? error
    : new HarnessError("internal", messageOf(error), { cause: error });
  const { code, details } = known;
  // A proxy wants a login: no token helps.
  if (code === "unauthorized" && details?.["reason"] === "proxy_login") return known;
  if (code === "unauthorized") return new HintedError(known, tokenHint(tokenPlace));
  if (code === "timeout") {
    return new HintedError(known, "allow more time with --timeout, or check the server's log");
  }
  const status = details?.["status"];
  // Something answered: starting a server would not help.
  const isGone = status === 502 || status === 503 || status === 504;
  if (status !== undefined && !isGone) return known;
  if (!["unreachable", "unavailable", "internal"].includes(code)) return known;
  const unreachable = new HarnessError("unreachable", known.message, {
    cause: error,
    ...(details && { details }),
  });
  if (isGone) return unreachable;
  return new HintedError(unreachable, HINTS[details?.["reason"] as ConnectFailure] ?? START);
}

function tokenHint(tokenPlace: string | null): string {
  if (tokenPlace === null) return "give a token with --token-file or HARNESS_TOKEN";
  return `the token came from ${tokenPlace}; give one that the server accepts`;
}
