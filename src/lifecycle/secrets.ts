/**
 * The secrets of a service as its machine knows them, and reports without them.
 *
 * The server keeps no secret. What a service prints may hold one, and log lines become events, records and journal
 * lines; so the values are read from the service's env file, kept in memory, and taken out of what is reported.
 *
 * @module
 */
import { type ErrorCode, HarnessError, messageOf } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import { STATUS_TIMEOUT_MS } from "../model/limits.ts";
import { MAX_ENV_FILE_BYTES } from "./limits.ts";
import { secretsIn } from "./env_file.ts";
import { type Redact, redactDetails, redactor } from "../util/redact.ts";
import type { EndRecord } from "./supervisor/restart_policy.ts";
import type { SupervisorEvent } from "./supervisor/events.ts";

const READ = `for h_file in "$@"; do [ ! -e "$h_file" ] || cat "$h_file" || exit 1; done`;

/** The values marked as secret in env files of a machine; those that are not there have none. */
async function readSecrets(executor: Executor, files: readonly string[]): Promise<string[]> {
  const { stdout, stderr, exitCode } = await executor.run({
    name: "secrets",
    script: READ,
    args: [...files],
  }, {
    timeoutMs: STATUS_TIMEOUT_MS,
    maxOutputBytes: MAX_ENV_FILE_BYTES,
  });
  if (exitCode !== 0) {
    throw new HarnessError(
      "unavailable",
      `Cannot read an env file on ${executor.host}: ${stderr.trim()}`,
    );
  }
  return secretsIn(stdout);
}

/** Removes the secrets of one service from reports about it. */
export class SecretFilter {
  readonly #executor: () => Promise<Executor>;
  readonly #files: readonly string[];
  #redact: Promise<Redact> | null = null;

  /** A filter for a service with this env file, or with none. */
  constructor(executor: () => Promise<Executor>, envFile: string | null) {
    this.#executor = executor;
    this.#files = envFile === null ? [] : [envFile];
  }

  /** An event without secrets; without its texts while the secrets cannot be read. */
  async event<E extends SupervisorEvent>(event: E): Promise<E> {
    if (!hasWords(event)) return event;
    return withRedacted(event, await this.#known().catch(withholding));
  }

  /** An error without secrets. */
  async error(error: unknown): Promise<unknown> {
    // Other errors are texts of ours: most often the machine is unreachable, and then no secret can be read.
    if (!(error instanceof HarnessError) || !SERVICE_SPEAKS.has(error.code)) return error;
    const redact = await this.#known().catch(withholding);
    if (redact === asItIs) return error;
    return new HarnessError(error.code, redact(error.message), {
      ...(error.details === undefined ? {} : { details: redactDetails(error.details, redact) }),
    });
  }

  #known(): Promise<Redact> {
    if (this.#redact !== null) return this.#redact;
    const asked = this.#read();
    this.#redact = asked;
    // Asked again next time.
    asked.catch(() => this.#redact = null);
    return asked;
  }

  async #read(): Promise<Redact> {
    if (this.#files.length === 0) return asItIs;
    return redactor(await readSecrets(await this.#executor(), this.#files));
  }
}

const asItIs: Redact = (value) => value;

/** Codes of the errors that quote a service: its last lines, or the output of its health check. */
const SERVICE_SPEAKS: ReadonlySet<ErrorCode> = new Set(["unavailable", "timeout"]);

/** Used while the secrets are unknown: withholds the whole text, with the reason. */
function withholding(problem: unknown): Redact {
  const note = `[withheld, since the secrets to leave out are not known: ${messageOf(problem)}]`;
  return <T>(value: T) => (typeof value === "string" ? note : Array.isArray(value) ? [] : {}) as T;
}

function hasWords(event: SupervisorEvent): boolean {
  switch (event.type) {
    case "state":
      return event.state === "failed" || event.log.length > 0;
    case "health":
    case "restart_scheduled":
    case "gave_up":
      return true;
    case "adopted":
    case "host":
      return false;
  }
}

/** Redacts only what a service may have written itself: ids, states and numbers are ours. */
function withRedacted<E extends SupervisorEvent>(event: E, redact: Redact): E {
  switch (event.type) {
    case "state": {
      const { restarts } = event;
      return {
        ...event,
        reason: redact(event.reason),
        log: redact(event.log),
        ...(restarts === undefined
          ? {}
          : { restarts: { ...restarts, history: redactHistory(restarts.history, redact) } }),
      };
    }
    case "health": {
      const { result } = event;
      const output = result.output === null ? null : redact(result.output);
      return {
        ...event,
        message: redact(event.message),
        result: { ...result, message: redact(result.message), output },
      };
    }
    case "restart_scheduled":
      return { ...event, reason: redact(event.reason) };
    case "gave_up":
      return { ...event, history: redactHistory(event.history, redact) };
    default:
      return event;
  }
}

function redactHistory(history: readonly EndRecord[], redact: Redact): EndRecord[] {
  return history.map((end) => ({ ...end, reason: redact(end.reason) }));
}
