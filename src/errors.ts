/**
 * The error type of the program and its closed list of codes.
 *
 * A {@linkcode HarnessError} is sent over the wire unchanged (code, message, details). Anything else that is thrown becomes
 * `internal` at the edge ({@linkcode toHarnessError}): the client gets a generic sentence, the log has the cause.
 *
 * @module
 */

/** A stable error code, the same in the library, on the wire and in the CLI's brackets. */
export type ErrorCode =
  | "parse_error"
  | "invalid_request"
  | "unknown_action"
  | "invalid_params"
  | "not_found"
  | "ambiguous"
  | "already_exists"
  | "invalid_transition"
  | "conflict"
  | "unauthorized"
  | "forbidden"
  | "rate_limited"
  | "too_large"
  | "unavailable"
  | "storage_unavailable"
  | "timeout"
  | "cancelled"
  | "deploy_failed"
  | "package_invalid"
  | "unreachable"
  | "internal";

/** For every code, whether the same request may succeed when sent again unchanged. */
const RETRYABLE: Readonly<Record<ErrorCode, boolean>> = {
  parse_error: false,
  invalid_request: false,
  unknown_action: false,
  invalid_params: false,
  not_found: false,
  ambiguous: false,
  already_exists: false,
  invalid_transition: false,
  conflict: false,
  unauthorized: false,
  forbidden: false,
  rate_limited: true,
  too_large: false,
  unavailable: true,
  storage_unavailable: true,
  timeout: true,
  cancelled: false,
  deploy_failed: false,
  package_invalid: false,
  unreachable: true,
  internal: false,
};

/** All error codes, in the order in which docs/protocol.md lists them. */
export const ERROR_CODES: readonly ErrorCode[] = Object.keys(RETRYABLE) as ErrorCode[];

/** Whether a request refused with `code` may succeed when it is sent again unchanged. */
export function isRetryable(code: ErrorCode): boolean {
  return RETRYABLE[code];
}

/** Options for {@linkcode HarnessError}. */
export interface HarnessErrorOptions {
  /** Details for programs: JSON values only, never a secret. */
  details?: Record<string, unknown>;
  /** The underlying error. It is logged, never sent to a client. */
  cause?: unknown;
}

/** An error with a stable {@linkcode ErrorCode}. The message reads "Cannot <verb> <thing>: <why, and what to do>". */
export class HarnessError extends Error {
  /** The class name, for logs. */
  override readonly name = "HarnessError";
  /** The stable code. */
  readonly code: ErrorCode;
  /** Details for programs, or `undefined`. */
  readonly details: Record<string, unknown> | undefined;

  /** Creates an error with a stable code and a message for people. */
  constructor(code: ErrorCode, message: string, options: HarnessErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : {});
    this.code = code;
    this.details = options.details;
  }

  /** Whether the same request may succeed when it is sent again unchanged. */
  get retryable(): boolean {
    return isRetryable(this.code);
  }
}

/** Whether `value` is one of the {@linkcode ErrorCode}s. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(RETRYABLE, value);
}

/** `error` itself when it is a {@linkcode HarnessError}, else an `internal` one that keeps it as its cause. */
export function toHarnessError(error: unknown): HarnessError {
  if (error instanceof HarnessError) return error;
  return new HarnessError("internal", "Internal error: the server's log has the detail", {
    cause: error,
  });
}

/** What the codes of the operating system mean, in the same words on every runtime. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EBUSY: "it is in use",
  EEXIST: "it is there already",
  EFBIG: "the file would be too large",
  EIO: "the device reports an error",
  EISDIR: "it is a directory",
  ELOOP: "too many symbolic links",
  EMFILE: "too many open files",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on the device",
  ENOTDIR: "a part of its path is not a directory",
  ENOTEMPTY: "it is not empty",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  EDQUOT: "the disk quota is used up",
};

/** The message of anything thrown; of an error of the operating system what its code means, without call and path. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  const isOfSystem = typeof code === "string" && Object.hasOwn(SYSTEM_ERRORS, code);
  return isOfSystem ? SYSTEM_ERRORS[code] ?? error.message : error.message;
}

/** The same with the path of a failed file operation before it, for messages that do not name it. */
export function messageWithPath(error: unknown): string {
  const { path, code } = error instanceof Error ? error as { path?: unknown; code?: unknown } : {};
  // Other messages have it.
  const isLeftOut = typeof code === "string" && Object.hasOwn(SYSTEM_ERRORS, code);
  return isLeftOut && typeof path === "string" ? `${path}: ${messageOf(error)}` : messageOf(error);
}
