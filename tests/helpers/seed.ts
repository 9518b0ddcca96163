/**
 * Where the random inputs of tests begin: fixed, so that every run is the same and one that fails can be
 * repeated. Another HARNESS_FUZZ_SEED looks at other inputs.
 */
export const SEED = Number(Deno.env.get("HARNESS_FUZZ_SEED") ?? 20261123);
