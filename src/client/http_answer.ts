/**
 * Puts an HTTP answer that is not the wanted one into an error: what answered, with what, and what to do.
 *
 * Between a client and the server there may be proxies that answer by themselves: a limit of the size, a login, a
 * redirect, a path that leads elsewhere, a server that is gone. Pages of theirs are never shown.
 *
 * @module
 */
import { type ErrorCode, HarnessError, isErrorCode } from "../errors.ts";
import type { WireError } from "../protocol/messages.ts";
import { MAX_CLIENT_ERROR_BYTES, MAX_CLIENT_HEADER_CHARS } from "./limits.ts";

/** What is known of an answer. */
export interface HttpAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** The `Server` header: the program that answered, or the last proxy on the way. */
  readonly server?: string | null;
  /** Target of a redirect. */
  readonly location?: string | null;
  /** The error that a harness-ws-server answered, or `null` when another program did. */
  readonly error?: WireError | null;
}

/** What a status means when a proxy answers it. */
interface Meaning {
  readonly code: ErrorCode;
  readonly why: string;
  /** `details.reason`, where a program or a hint needs it. */
  readonly reason?: "wrong_address" | "size_limit" | "proxy_login";
}

const MEANINGS: Readonly<Record<number, Meaning>> = {
  400: {
    code: "invalid_request",
    why: "the request was not understood; without TLS, TLS may be expected there",
  },
  401: { code: "unauthorized", why: "the token is missing or not valid" },
  403: { code: "forbidden", why: "this Origin or Host is not allowed" },
  404: {
    code: "unreachable",
    why: "there is no harness-ws-server at this path",
    reason: "wrong_address",
  },
  407: { code: "unauthorized", why: "a proxy requires authentication" },
  408: { code: "timeout", why: "a proxy waited too long for the request" },
  413: { code: "too_large", why: "a proxy does not allow a request of this size" },
  429: { code: "rate_limited", why: "too many connections" },
  502: { code: "unavailable", why: "a proxy cannot reach the server" },
  503: { code: "unavailable", why: "the server is full or shutting down" },
  504: { code: "unavailable", why: "the server behind a proxy does not respond" },
};

/** The same where the body shows that it is not the server that answered. */
const PROXY_MEANINGS: Readonly<Record<number, Meaning>> = {
  401: {
    code: "unauthorized",
    why: "a proxy before the server requires a login of its own",
    reason: "proxy_login",
  },
  403: { code: "forbidden", why: "a proxy before the server refuses the request" },
  405: { code: "invalid_request", why: "a proxy before the server does not allow this method" },
  429: { code: "rate_limited", why: "a proxy before the server limits requests" },
  503: { code: "unavailable", why: "a proxy has no server to send the request to" },
};

/** The setting of each proxy that limits the size of a request. */
const SIZE_SETTINGS: ReadonlyArray<readonly [server: RegExp, setting: string]> = [
  [/nginx|openresty|tengine|angie/i, "client_max_body_size"],
  [/caddy/i, "request_body max_size"],
  [/apache/i, "LimitRequestBody"],
  [/cloudflare/i, "the upload limit of its plan"],
];

/** Reads what {@linkcode answerError} needs, and the body to its end or its limit. */
export async function readAnswer(response: Response): Promise<HttpAnswer> {
  const { status, headers } = response;
  const text = await bodyText(response);
  return {
    status,
    server: headers.get("server"),
    location: headers.get("location"),
    error: text === null ? null : wireError(text),
  };
}

/**
 * The error for an answer to `what` ("Cannot upload x"): the server's own where it has one, else one that names the
 * program that answered and the status.
 */
export function answerError(what: string, answer: HttpAnswer): HarnessError {
  const { status, error, location = null } = answer;
  if (error !== null && error !== undefined) {
    const code = isErrorCode(error.code) ? error.code : "internal";
    return new HarnessError(code, error.message, { details: { ...error.details, status } });
  }
  const meaning = PROXY_MEANINGS[status];
  return statusError(what, answer, meaning ?? sizeMeaning(answer) ?? meaningOf(status, location));
}

/** The error for a refused handshake, of which some runtimes report the status alone. */
export function handshakeAnswerError(what: string, answer: HttpAnswer): HarnessError {
  const { status, error, location = null } = answer;
  const usual = meaningOf(status, location);
  if (error === undefined) return statusError(what, answer, usual);
  if (error === null) return statusError(what, answer, PROXY_MEANINGS[status] ?? usual);
  // The server's own: it does not tell the token's user more than that.
  const why = status === 401 ? usual.why : error.message;
  return statusError(what, { status }, { code: usual.code, why });
}

function statusError(what: string, answer: HttpAnswer, meaning: Meaning): HarnessError {
  const { status } = answer;
  const { code, why, reason } = meaning;
  const server = answer.server?.slice(0, MAX_CLIENT_HEADER_CHARS) ?? null;
  const location = isRedirect(status) ? withoutQuery(answer.location ?? null) : null;
  const from = server === null ? "" : ` from ${server}`;
  return new HarnessError(code, `${what}: HTTP status ${status}${from}; ${why}`, {
    details: {
      status,
      ...(reason === undefined ? {} : { reason }),
      ...(server === null ? {} : { server }),
      ...(location === null ? {} : { location }),
    },
  });
}

function meaningOf(status: number, location: string | null): Meaning {
  const known = MEANINGS[status];
  if (known !== undefined) return known;
  if (isRedirect(status)) {
    const target = withoutQuery(location);
    const why = target === null
      ? "it redirects; connect to the target"
      : `it redirects to ${target}; connect to that address`;
    return { code: "invalid_request", why, reason: "wrong_address" };
  }
  if (status >= 500) return { code: "unavailable", why: "a proxy or the server has failed" };
  const why = status >= 400
    ? "is it a harness-ws-server?"
    : "that is no answer of a harness-ws-server";
  return { code: "invalid_request", why, reason: "wrong_address" };
}

function sizeMeaning({ status, server }: HttpAnswer): Meaning | null {
  if (status !== 413) return null;
  const setting = SIZE_SETTINGS.find(([name]) => name.test(server ?? ""))?.[1];
  const raise = setting === undefined
    ? "raise its limit (nginx: client_max_body_size)"
    : `raise its limit, ${setting}`;
  return {
    code: "too_large",
    why: `a proxy before the server does not allow a request of this size; ${raise}`,
    reason: "size_limit",
  };
}

/** Whether the whole answer says more than its status: the target of a redirect, or who refused, the server or a proxy. */
export function needsAnswer(status: number): boolean {
  return isRedirect(status) || PROXY_MEANINGS[status] !== undefined;
}

/** Whether the server or a proxy has too much to do: it is not asked once more. */
export function isBusy(status: number): boolean {
  return status === 429 || status === 503;
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}

/** The query of a login page's address may hold secrets. */
function withoutQuery(location: string | null): string | null {
  return location?.replace(/[?#].*$/s, "").slice(0, MAX_CLIENT_HEADER_CHARS) ?? null;
}

function wireError(text: string): WireError | null {
  try {
    const { error } = JSON.parse(text) as { error?: Partial<WireError> };
    return isErrorCode(error?.code) && typeof error?.message === "string"
      ? error as WireError
      : null;
  } catch {
    return null; // a page of a proxy
  }
}

/** The body, or `null` when it is too long to be an error of the server or is cut off. */
async function bodyText({ body }: Response): Promise<string | null> {
  if (body === null) return null;
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      text += decoder.decode(value, { stream: true });
      if (text.length > MAX_CLIENT_ERROR_BYTES) return null;
    }
  } catch {
    return null;
  } finally {
    await reader.cancel().catch(() => {});
  }
}
