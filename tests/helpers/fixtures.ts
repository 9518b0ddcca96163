/** Small valid values for tests. */
import type { CheckedServiceInput, Endpoint } from "../../src/model/service.ts";

/** A service to register; `changes` replaces fields. */
export function serviceInput(
  name: string,
  changes: Partial<CheckedServiceInput> = {},
): CheckedServiceInput {
  return {
    name,
    version: "1.0.0",
    execution: { type: "managed_process", command: "/usr/bin/true", args: [], pid: null },
    ...changes,
  };
}

/** An endpoint; `changes` replaces fields. */
export function endpoint(name: string, address: string, changes: Partial<Endpoint> = {}): Endpoint {
  return { name, address, protocol: "tcp", metadata: {}, ...changes };
}
