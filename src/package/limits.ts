/**
 * Limits of packages, each with its reason.
 *
 * @module
 */
/** Longest version: with the longest name it still fits into one file name of 255 bytes. */
export const MAX_VERSION_LENGTH = 100;
/** Size of `manifest.yaml`: far above any real one, small enough for hostile YAML. */
export const MAX_MANIFEST_BYTES = 64 * 1024;
/** Nesting depth of a manifest: the format needs five. */
export const MAX_MANIFEST_DEPTH = 20;
/** Aliases, anchors and tags that are counted in one manifest: more than are listed. */
export const MAX_MANIFEST_PROBLEMS = 100;
/** Items of one list or map in a manifest. */
export const MAX_MANIFEST_ITEMS = 256;
/** Shortest duration in a manifest: below it a check would be noise. */
export const MIN_MANIFEST_DURATION_MS = 10;
/** Longest duration in a manifest: one day. */
export const MAX_MANIFEST_DURATION_MS = 24 * 60 * 60 * 1000;
/** How long reading a package may block the event loop: a server reads while it serves. */
export const EVENT_LOOP_SLICE_MS = 8;
/** How long a build may, which nobody waits for but who started it: each time costs two milliseconds. */
export const BUILD_SLICE_MS = 50;
/** Longest part of a path that ext4, XFS and Btrfs can store. */
export const MAX_PATH_PART_BYTES = 255;
/** Links followed to resolve one path, as in Linux. */
export const MAX_LINK_HOPS = 40;
/** Path parts walked to resolve all links of a package: a second's work at most. */
export const MAX_LINK_STEPS = 1_000_000;
/** Size of `SHA256SUMS`: a line of usual length for every allowed entry. */
export const MAX_SUMS_BYTES = 16 * 1024 * 1024;
/** Bytes of a script that are checked for line ends: what follows is seldom text. */
export const MAX_SCRIPT_BYTES = 1024 * 1024;
/** Largest file for minisign's legacy signatures, which need it in memory. */
export const MAX_LEGACY_SIGNED_BYTES = 256 * 1024 * 1024;
/** Threads that compress: each takes about 20 MiB, and more read faster than most disks. */
export const MAX_DEFLATE_THREADS = 8;
/** A thread must have this much to compress: starting one takes as long as half of it. */
export const MIN_THREAD_BYTES: number = 4 * 1024 * 1024;
/** A file up to this size is read whole by a build, others in chunks of it. */
export const SMALL_FILE_BYTES: number = 256 * 1024;
/** A file that is read in less was in memory; a disk answers many at once. */
export const SLOW_READ_MS = 1;
/** Small files of a build that are read at once, from a disk. */
export const READ_AHEAD_FILES = 32;
