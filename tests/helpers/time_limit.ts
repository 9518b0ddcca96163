/**
 * Gives every test a time limit, so that a hang fails with the test's name: the tasks load it with `--preload`.
 *
 * A test that sets its own `timeout` keeps it. The summary of failures names this file as the place of a test;
 * the stack below has the real line.
 *
 * @module
 */

/** Far beyond what a quick test needs on a busy machine. */
const QUICK_LIMIT_MS = 5 * 60_000;
/** For kill loops, fleets and containers, in the number of rounds that CI asks for. */
const SYSTEM_LIMIT_MS = 20 * 60_000;

const register = Deno.test;

function limit(): { timeout: number } {
  const isSystem = new Error().stack?.includes("_system_test.ts") ?? false;
  return { timeout: isSystem ? SYSTEM_LIMIT_MS : QUICK_LIMIT_MS };
}

function testWithLimit(first: unknown, second?: unknown, third?: unknown): void {
  if (typeof first === "string" && typeof second === "function") {
    register({ ...limit(), name: first, fn: second as Deno.TestDefinition["fn"] });
  } else if (typeof first === "object" && second === undefined) {
    register({ ...limit(), ...first as Deno.TestDefinition });
  } else {
    // Forms that no test here uses go on as they are.
    Reflect.apply(register, Deno, [first, second, third].filter((it) => it !== undefined));
  }
}

Object.defineProperty(Deno, "test", { value: Object.assign(testWithLimit, register) });
