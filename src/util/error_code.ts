/**
 * The codes of errors of the operating system, the same on Deno, Node and Bun.
 *
 * @module
 */

/** Whether an error of the operating system has one of these codes, such as `ENOENT`. */
export function hasErrorCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
