import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";

/** The error that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<HarnessError> {
  try {
    await promise;
  } catch (error) {
    assert(error instanceof HarnessError, String(error));
    return error;
  }
  assert.fail("it did not fail");
}
