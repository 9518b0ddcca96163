/** The whole suite, in the order of docs/protocol.md. */
import { type Address, type Check, ServerUnderTest } from "./check.ts";
import { CONNECTION_CHECKS } from "./connection_checks.ts";
import { ERROR_CHECKS } from "./error_checks.ts";
import { EVENT_CHECKS } from "./event_checks.ts";
import { LIMIT_CHECKS } from "./limit_checks.ts";
import { REGISTRY_CHECKS } from "./registry_checks.ts";
import { RESUME_CHECKS } from "./resume_checks.ts";

/** All checks. */
export const CHECKS: readonly Check[] = [
  ...CONNECTION_CHECKS,
  ...ERROR_CHECKS,
  ...REGISTRY_CHECKS,
  ...EVENT_CHECKS,
  ...RESUME_CHECKS,
  ...LIMIT_CHECKS,
];

/** How one check ended. */
export interface CheckResult {
  /** The rule. */
  name: string;
  /** What was wrong, or `null`. */
  error: Error | null;
  /** Why it was not run, or `null`. */
  skipped: string | null;
  /** How long it took. */
  durationMs: number;
}

/** Runs all checks one after the other against one server. */
export async function* runSuite(address: Address): AsyncGenerator<CheckResult> {
  const server = await ServerUnderTest.find(address);
  const capabilities: string[] = server.hello["capabilities"] ?? [];
  for (const { name, run, needs } of CHECKS) {
    const startedAt = performance.now();
    const result: CheckResult = { name, error: null, skipped: null, durationMs: 0 };
    if (needs === "token") {
      if (address.token === undefined) result.skipped = "no token was given";
    } else if (needs !== undefined && !capabilities.includes(needs)) {
      result.skipped = `the server does not offer ${needs} with this token`;
    }
    if (result.skipped === null) {
      result.error = await attempt(() => run(server)) ?? await attempt(() => server.cleanUp());
      if (result.error !== null) await attempt(() => server.cleanUp());
    }
    result.durationMs = performance.now() - startedAt;
    yield result;
  }
}

async function attempt(work: () => Promise<void>): Promise<Error | null> {
  try {
    await work();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
