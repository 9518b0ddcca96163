import type { DeploymentStatus, HostOutcome } from "../../src/model/deployment.ts";
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { deploymentExitCode, EXIT, exitCodeOf } from "../../src/cli/exit_codes.ts";

function code(
  status: DeploymentStatus,
  ...hosts: Array<[HostOutcome, string?, Record<string, unknown>?]>
): number {
  return deploymentExitCode({
    status,
    hosts: hosts.map(([outcome, error, details]) => ({
      outcome,
      ...(error === undefined
        ? {}
        : { error: { code: error, ...(details === undefined ? {} : { details }) } }),
    })),
  });
}

Deno.test("deploymentExitCode: one code for each outcome", () => {
  assert.equal(code("succeeded", ["ok"], ["skipped"]), EXIT.ok);
  assert.equal(code("running", ["ok"]), EXIT.ok);
  assert.equal(code("partial", ["ok"], ["failed", "deploy_failed"]), EXIT.partial);
  assert.equal(code("failed", ["failed", "deploy_failed"]), EXIT.failure);
  assert.equal(code("failed", ["unreachable", "unreachable"]), EXIT.unreachable);
  assert.equal(code("failed", ["failed", "timeout"]), EXIT.timeout);
  assert.equal(code("rolled_back", ["rolled_back", "deploy_failed"]), EXIT.rolledBack);
  assert.equal(code("failed", ["rolled_back"], ["rollback_failed"]), EXIT.rollbackFailed);
  assert.equal(code("partial", ["ok"], ["rollback_failed"]), EXIT.rollbackFailed);
  assert.equal(code("failed", ["failed", "conflict", { reason: "locked" }]), EXIT.locked);
  assert.equal(code("cancelled", ["cancelled", "cancelled"]), EXIT.failure);
  assert.equal(code("interrupted"), EXIT.failure);
});

Deno.test("exitCodeOf: a conflict is locked only with a holder", () => {
  const of = (...args: ConstructorParameters<typeof HarnessError>) =>
    exitCodeOf(new HarnessError(...args));
  assert.equal(of("unreachable", ""), EXIT.unreachable);
  assert.equal(of("timeout", ""), EXIT.timeout);
  assert.equal(of("invalid_params", ""), EXIT.usage);
  assert.equal(of("conflict", "", { details: { pid: 12 } }), EXIT.locked);
  assert.equal(of("conflict", "", { details: { revision: 3 } }), EXIT.failure);
  assert.equal(of("not_found", ""), EXIT.failure);
  assert.equal(exitCodeOf(new Error("x")), EXIT.failure);
});
