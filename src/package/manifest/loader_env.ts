/**
 * Variables that make a program load or execute something before its own first line. Pure.
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
 * Whether the dynamic linker, the C library or a shell acts upon a variable of this name: which library is loaded,
 * which file is executed. Such a variable must be asked for with `service.allow_loader_env`.
 */
export function isLoaderVariable(name: string): boolean {
  return NAMES.has(name) || /^(?:LD|DYLD)_/.test(name);
}

/** The same variables as a pattern of `case` in sh. */
export const LOADER_PATTERN: string = [...NAMES, "LD_*", "DYLD_*"].join(" | ");
