/**
 * A word that a completion offers.
 *
 * @module
 */

/** A word, and a few words about it for the shells that show them. */
export interface Candidate {
  /** The word. */
  readonly value: string;
  /** What it is; may be empty. */
  readonly about: string;
}
