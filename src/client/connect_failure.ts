/**
 * Why no connection was made, as each runtime reports it.
 *
 * @module
 */

/** `details.reason` of the `unreachable` error. */
export type ConnectFailure =
  | "certificate_expired"
  | "certificate_is_authority"
  | "certificate_name"
  | "certificate_not_yet_valid"
  | "certificate_untrusted"
  | "closed"
  | "not_http"
  | "not_tls"
  | "refused"
  | "unknown_host";

/** A failure in words. */
export const FAILURE_TEXTS: Readonly<Record<ConnectFailure, string>> = {
  certificate_expired: "the server's certificate has expired",
  certificate_is_authority: "the server's certificate is a CA certificate",
  certificate_name: "the server's certificate is for another name",
  certificate_not_yet_valid: "the server's certificate is not valid yet",
  certificate_untrusted: "the server's certificate is not trusted",
  closed: "the connection was closed without an answer",
  not_http: "the server does not speak HTTP",
  not_tls: "the server does not use TLS",
  refused: "connection refused",
  unknown_host: "unknown host",
};

/** Codes of the errors of Node and Bun. */
const BY_CODE: Readonly<Record<string, ConnectFailure>> = {
  CERT_HAS_EXPIRED: "certificate_expired",
  CERT_NOT_YET_VALID: "certificate_not_yet_valid",
  ConnectionClosed: "closed",
  ConnectionRefused: "refused",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate_untrusted",
  EAI_AGAIN: "unknown_host",
  ECONNREFUSED: "refused",
  ECONNRESET: "closed",
  ENOTFOUND: "unknown_host",
  EPROTO: "not_tls",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "not_tls",
  ERR_SSL_WRONG_VERSION_NUMBER: "not_tls",
  ERR_TLS_CERT_ALTNAME_INVALID: "certificate_name",
  Malformed_HTTP_Response: "not_http",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate_untrusted",
  UNABLE_TO_GET_ISSUER_CERT: "certificate_untrusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate_untrusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate_untrusted",
  UND_ERR_SOCKET: "closed",
};

/** Deno, and WebSocket classes without a fetch of their own, report text only; the first match wins. */
const BY_TEXT: ReadonlyArray<readonly [RegExp, ConnectFailure]> = [
  [/tcp connect error|connection refused|ECONNREFUSED/i, "refused"],
  [/dns error|ENOTFOUND|EAI_AGAIN/, "unknown_host"],
  [/corrupt message of type \w+|wrong version number/, "not_tls"],
  [/invalid HTTP version parsed|Parse Error|Invalid response|does not match the HTTP/, "not_http"],
  [/certificate: .*CaUsedAsEndEntity/s, "certificate_is_authority"],
  [/certificate: .*(?:NotValidForName|not valid for name)|altnames/s, "certificate_name"],
  [/certificate: .*Expired|certificate has expired/s, "certificate_expired"],
  [/certificate: .*NotValidYet|certificate is not yet valid/s, "certificate_not_yet_valid"],
  // The report of an untrusted certificate depends on the peer's TLS.
  [/certificate|NoApplicationProtocol/, "certificate_untrusted"],
  [
    /socket hang up|disconnected before|reset by peer|ECONNRESET|operation was canceled|connection error|connection closed before|handshake eof/,
    "closed",
  ],
];

/** What a runtime says about a connection that was not made. */
export interface FailureReport {
  /** The code of the system's or the runtime's error, or `null`. */
  readonly code: string | null;
  /** Its text. */
  readonly text: string;
}

/** What the reports mean together, the most exact first; `undefined` where nothing is known. */
export function connectFailure(reports: readonly FailureReport[]): ConnectFailure | undefined {
  const found = [
    ...reports.map(({ code }) => byCode(code)),
    ...reports.map(({ text }) => BY_TEXT.find(([pattern]) => pattern.test(text))?.[1]),
  ].filter((failure) => failure !== undefined);
  // That a connection was closed is the least that can be said.
  return found.find((failure) => failure !== "closed") ?? found[0];
}

function byCode(code: string | null): ConnectFailure | undefined {
  if (code === null) return undefined;
  // The codes of Node's HTTP parser.
  return code.startsWith("HPE_") ? "not_http" : BY_CODE[code];
}
