/**
 * Limits of this folder, each with its reason.
 *
 * @module
 */
/** Longest version: with the longest name it still fits into one file name of 255 bytes. */
export const MAX_VERSION_LENGTH = 100;
/** `manifest.yaml`: far above any real one, small enough that no YAML trick costs time. */
export const MAX_MANIFEST_BYTES = 64 * 1024;
/** Collections inside each other in a manifest: the format needs five. */
export const MAX_MANIFEST_DEPTH = 20;
/** Problems of one manifest that are listed; the first ones explain the rest. */
export const MAX_MANIFEST_PROBLEMS = 20;
/** Ports, dependencies, variables … in one list or map of a manifest. */
export const MAX_MANIFEST_ITEMS = 256;
/** Shortest duration in a manifest: below it a check would be noise. */
export const MIN_MANIFEST_DURATION_MS = 10;
/** Longest duration in a manifest: one day. */
export const MAX_MANIFEST_DURATION_MS = 24 * 60 * 60 * 1000;
/** Reading a package lets others run after this long: a server does it while it serves. */
export const EVENT_LOOP_SLICE_MS = 8;
/** Longest part of a path: what ext4, XFS and Btrfs can store. */
export const MAX_PATH_PART_BYTES = 255;
/** Links followed in a row when a link's end is looked for: Linux itself allows 40. */
export const MAX_LINK_HOPS = 40;
/** Parts of paths walked to find where all links of a package end: a second's work at most. */
export const MAX_LINK_STEPS = 1_000_000;
/** `SHA256SUMS`: a line for every entry that is allowed, of usual length. */
export const MAX_SUMS_BYTES = 16 * 1024 * 1024;
/** As much of a script is checked for its line ends: what comes later is seldom text. */
export const MAX_SCRIPT_BYTES = 1024 * 1024;
/** Largest file for minisign's old signatures without hashing, which need it in memory. */
export const MAX_LEGACY_SIGNED_BYTES = 256 * 1024 * 1024;
