/**
 * Answers ssh2's `hostVerifier` in a turn of the event loop of its own.
 *
 * An answer that arrives while ssh2 is inside its key exchange is lost: ssh2 considers the exchange finished, never sends
 * its NEWKEYS, and the connection hangs. A promise is not late enough: Deno runs microtasks in the middle of the first
 * `createHash()` of a process, which ssh2 calls there.
 *
 * Upstream: https://github.com/mscdex/ssh2/issues/1040, https://github.com/mscdex/ssh2/issues/1268.
 * Remove when: ssh2 accepts an answer at any time.
 *
 * @module
 */

/** Calls `answer`, which answers `hostVerifier`, in the next turn. */
export function inOwnTurn(answer: () => void): void {
  setTimeout(answer, 0);
}
