/**
 * The checks of input, loaded with the first input: their schemas are a large part of what a start would load.
 *
 * @module
 */
type Validation = typeof import("./validate.ts");

let loaded: Validation | null = null;

/** The checks, or `null` until {@linkcode loadValidation} has loaded them. */
export function validation(): Validation | null {
  return loaded;
}

/** Loads the checks. */
export async function loadValidation(): Promise<Validation> {
  return loaded ??= await import("./validate.ts");
}
