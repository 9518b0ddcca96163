/**
 * Environment variables that make a program load or execute code before its own. Pure.
 *
 * @module
 */

const NAMES: ReadonlySet<string> = new Set([
  "BASH_ENV",
  "BASHOPTS",
  "GCONV_PATH",
  "GETCONF_DIR",
  "GLIBC_TUNABLES",
  "IFS",
  "LOCPATH",
  "MALLOC_TRACE",
  "NLSPATH",
  "PS4",
  "SHELLOPTS",
]);

/**
 * Whether this variable decides which library the dynamic linker or C library loads, or which file a shell executes. Such
 * a variable needs `service.allow_loader_env`.
 */
export function isLoaderVariable(name: string): boolean {
  return NAMES.has(name) || /^(?:LD|DYLD)_/.test(name);
}

/** The same variables as a pattern of `case` in sh. */
export const LOADER_PATTERN: string = [...NAMES, "LD_*", "DYLD_*"].join(" | ");
