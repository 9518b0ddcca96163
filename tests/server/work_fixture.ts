/** What work_test.ts and work_child.ts share. */
import type { CheckedServiceInput } from "../../src/model/service.ts";
import { endpoint } from "../helpers/fixtures.ts";

/** A request whose work is counted. */
export interface WorkRequest {
  /** What it is called in the test. */
  title: string;
  action: string;
  params?: unknown;
  /** Who asks. @default {"full"} */
  access?: "full" | "anonymous" | undefined;
  /** Sent after it, not counted. */
  undo?: WorkRequest;
}

/** The name of a service: the same number of digits in every registry. */
export function nameOf(number: number): string {
  return `service-${String(number).padStart(6, "0")}`;
}

/** Each ten depend on their first; all send heartbeats. */
export function* manyServices(
  count: number,
): Generator<Partial<CheckedServiceInput> & { name: string }> {
  for (let number = 0; number < count; number++) {
    const first = number - number % 10;
    yield {
      name: nameOf(number),
      depends_on: first === number ? [] : [nameOf(first)],
      endpoints: [endpoint("http", "10.0.0.1:80")],
      ttl_ms: 3_600_000,
    };
  }
}
