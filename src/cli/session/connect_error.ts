/**
 * What a refused or failed connection means to whoever gave the flags, and what to do about it.
 *
 * @module
 */
import { HarnessError, messageOf } from "../../errors.ts";

/** How it was tried. */
export interface Attempt {
  /** `--url`. */
  readonly url: string;
  /** Where the token came from, or `null` where there is none. */
  readonly tokenPlace: string | null;
}

/** Reasons in the words of the network stack: what they mean, and what to do. */
const REASONS: ReadonlyArray<readonly [RegExp, why: string, advice: string | null]> = [
  [/^tcp connect error$/, "nothing accepts a connection there", null],
  [/^dns error$/, "there is no host of that name", null],
  [/; is it a harness-ws-server\?$/, " as no harness-ws-server does", null],
  [/^it answered 503; the server is (.*)$/, "it is $1", "try again later"],
  [
    /^received corrupt message of type \w+$/,
    "it does not speak TLS",
    "write its --url with ws:// for wss://",
  ],
  [
    /^invalid HTTP version parsed$/,
    "it does not speak HTTP",
    "where it is a server with TLS, write its --url with wss:// for ws://",
  ],
  [
    /^invalid peer certificate: .*CaUsedAsEndEntity.*$/s,
    "its certificate is that of an authority",
    "give it one that is not (CA:FALSE), and the authority as --tls-ca",
  ],
  [
    /^invalid peer certificate: .*NotValidForName.*$/s,
    "its certificate is for another name",
    "name it in --url as its certificate does",
  ],
  [/^invalid peer certificate: .*Expired.*$/s, "its certificate has expired", "renew it there"],
  [
    // What is said of a distrusted certificate depends on the other side's TLS.
    /^.*(?:certificate|NoApplicationProtocol).*$/s,
    "its certificate is not trusted",
    "if it is one of your own, give --tls-ca",
  ],
];

/** The error for a connection that could not be made. */
export function notConnected(error: unknown, attempt: Attempt): unknown {
  const { url } = attempt;
  const code = error instanceof HarnessError ? error.code : "internal";
  if (code === "unauthorized") {
    return new HarnessError(code, `Cannot use the server at ${url}: ${tokenProblem(attempt)}`, {
      cause: error,
    });
  }
  const status = error instanceof HarnessError ? error.details?.["status"] : undefined;
  // Somebody answered: who and with what is said already, and starting a server would not help.
  if (status !== undefined && status !== 503) return error;
  if (!["unreachable", "unavailable", "internal", "timeout"].includes(code)) return error;
  const [why, advice] = reason(error);
  const next = code === "timeout"
    ? "give it longer with --timeout, or look at the server's log"
    : advice ??
      "start one with `harness-ws-server serve`, or name another with --url or HARNESS_URL";
  return new HarnessError(
    code === "timeout" ? "timeout" : "unreachable",
    `Cannot reach the server at ${url}: ${why}; ${next}`,
    { cause: error },
  );
}

function tokenProblem({ tokenPlace }: Attempt): string {
  if (tokenPlace === null) return "it wants a token; give one with --token-file or HARNESS_TOKEN";
  return `it does not know the token of ${tokenPlace}; give the one that it was started with`;
}

/** Why there is no connection, without what the caller says anyway, and what helps. */
function reason(error: unknown): [why: string, advice: string | null] {
  const text = messageOf(error)
    .replace(/^Cannot connect to \S+: /, "")
    .replace(/^NetworkError: failed to connect to WebSocket: /, "");
  const [pattern, why, advice] = REASONS.find(([pattern]) => pattern.test(text)) ?? [];
  if (pattern === undefined || why === undefined) return [text, null];
  return [text.replace(pattern, why), advice ?? null];
}
