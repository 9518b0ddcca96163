/**
 * What whoever keeps the records tells a supervisor of a service that an earlier one watched.
 *
 * @module
 */
import type { RestartMemory } from "./restart_policy.ts";

/** What the caller's records say of a service. */
export interface RecordedState {
  /** Whether it was running. */
  running: boolean;
  /** Whether it was being stopped on request: then its end is not for the policy to undo. @default {false} */
  stopping?: boolean;
  /** How long it has been running by the records, at most; it counts when it is found ended. @default {0} */
  upMs?: number;
  /** Its process id, where recorded. */
  pid?: number | null;
  /** Its container id, where recorded. */
  containerId?: string | null;
  /** What its last `failed` event said in `restarts`, where it is still the reason for its state. */
  restarts?: RestartMemory | null;
}
