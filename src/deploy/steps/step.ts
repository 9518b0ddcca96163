/**
 * How a step ends.
 *
 * @module
 */

/** How a step ended well. */
export interface StepEnd {
  /** Whether there was nothing to do. */
  skipped?: boolean;
  /** One line for people. */
  message?: string;
  /** Bytes that were moved. */
  bytes?: number;
}
