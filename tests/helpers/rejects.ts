/** Checks of refusals. */
import assert from "node:assert/strict";
import { type ErrorCode, HarnessError } from "../../src/errors.ts";

/** Runs `task` and returns the {@linkcode HarnessError} of `code` that it must fail with. */
export async function refusal(
  code: ErrorCode,
  task: () => unknown | Promise<unknown>,
): Promise<HarnessError> {
  try {
    await task();
  } catch (error) {
    assert.ok(error instanceof HarnessError, `not a HarnessError: ${error}`);
    assert.equal(error.code, code, error.message);
    return error;
  }
  throw new assert.AssertionError({ message: `expected ${code}, but it succeeded` });
}

/** The {@linkcode HarnessError} that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<HarnessError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof HarnessError, `not a HarnessError: ${error}`);
    return error;
  }
  throw new assert.AssertionError({ message: "expected a rejection, but it succeeded" });
}
