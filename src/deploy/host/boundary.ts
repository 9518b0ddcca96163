/**
 * Who may change what a deployment works with: root never runs, reads or writes below a directory that another user
 * can change. Pure: sh text for the lock command, and the errors from what it answers.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";

/**
 * Refuses with `@refused owner FOUND|PATH|OWNER|MODE|DEPLOYED`, before anything is written. FOUND is `bookkeeping`
 * (of a deployment as that user), `path` (a part of the install root's path) or `content` (something in our own
 * directory); DEPLOYED says whether a release is recorded there.
 */
export const BOUNDARY: string = `
# Prints PATH|OWNER|MODE of the first part of path $1 that somebody other than root can change. $2 counts links.
d_weak() (
  set -f
  d_at= d_left=\${1#/} d_links=\${2:-0}
  while :; do
    d_look=\${d_at:-/}
    # What is not there yet is made by us.
    d_line=$(ls -ldn "$d_look" 2>/dev/null) || exit 0
    set -- $d_line
    d_mode=$1 d_uid=$3 d_gid=$4
    d_weak=
    [ "$d_uid" = 0 ] || d_weak=yes
    case $d_mode in
      l*)
        d_target=$(readlink "$d_look")
        case $d_target in /*) ;; *) d_target=\${d_look%/*}/$d_target ;; esac
        if [ -z "$d_weak" ]; then
          [ "$d_links" -lt 16 ] || { printf '%s|%s|%s\\n' "$d_look" root "$d_mode"; exit 0; }
          d_weak "$d_target/$d_left" $((d_links + 1))
          exit 0
        fi ;;
      # In a directory with the sticky bit nobody moves what belongs to root.
      d????????[tT]*) ;;
      ?????w*) [ "$d_gid" = 0 ] || d_weak=yes ;;
    esac
    case $d_mode in l* | d????????[tT]*) ;; ????????w*) d_weak=yes ;; esac
    if [ -n "$d_weak" ]; then
      set -- $(ls -ld "$d_look")
      printf '%s|%s|%s\\n' "$d_look" "$3" "$d_mode"
      exit 0
    fi
    while :; do case $d_left in /*) d_left=\${d_left#/} ;; *) break ;; esac; done
    [ -n "$d_left" ] || exit 0
    d_at=$d_at/\${d_left%%/*}
    case $d_left in */*) d_left=\${d_left#*/} ;; *) d_left= ;; esac
  done
)
# What lies in our own directory; shared and log are the service's.
d_strange() (
  for d_item in "$base"/* "$base"/envs/* "$base"/run/*; do
    case $d_item in "$base/shared" | "$base/log" | *'/*') continue ;; esac
    set -f
    set -- $(ls -ldn "$d_item" 2>/dev/null)
    set +f
    [ "\${3:-0}" != 0 ] || continue
    set -f
    set -- $(ls -ld "$d_item")
    printf '%s|%s|%s\\n' "$d_item" "$3" "$1"
    exit 0
  done
)
d_boundary() {
  d_deployed=no
  [ ! -e "$base/state.json" ] || d_deployed=yes
  d_owner=root
  [ ! -d "$base" ] || d_owner=$(set -f; set -- $(ls -ld "$base/."); echo "$3")
  if [ "$(id -u)" != 0 ]; then
    # Whoever it belongs to, and not us: what the kernel says of it helps nobody.
    [ ! -d "$base" ] || [ -w "$base" ] || d_refuse owner "bookkeeping|$base|$d_owner||$d_deployed"
    return 0
  fi
  d_found=$(d_weak "$base")
  if [ -z "$d_found" ]; then d_found=$(d_weak "$root/.harness/cache"); fi
  if [ -n "$d_found" ] && [ -d "$base" ] && [ "$d_owner" != root ]; then
    d_refuse owner "bookkeeping|$base|$d_owner|$d_found|$d_deployed"
  fi
  [ -z "$d_found" ] || d_refuse owner "path|$d_found|$d_deployed"
  d_found=$(d_strange)
  [ -z "$d_found" ] || d_refuse owner "content|$d_found|$d_deployed"
}
d_boundary
`;

/** Where and for whom {@linkcode boundaryError} is made. */
export interface BoundaryPlace {
  /** Service name. */
  service: string;
  /** Host label. */
  host: string;
  /** Whether root is become there by sudo. */
  sudo: boolean;
}

/** The error of a refusal by {@linkcode BOUNDARY} in what a command printed, or `null`. */
export function boundaryError(stdout: string, place: BoundaryPlace): HarnessError | null {
  const [, found = "", rest = ""] = /^@refused owner (\w+)\|(.*)$/m.exec(stdout) ?? [];
  const fields = rest.split("|");
  const deployed = fields.at(-1) === "yes";
  const [path = "", owner = "", mode = ""] = fields;
  if (found === "") return null;
  const head = `Cannot lock ${place.service} on ${place.host}`;
  const details = { reason: "owner", path, owner, found, deployed };
  if (found === "bookkeeping") {
    const { code, text } = bookkeeping(path, owner, { ...place, deployed });
    return new HarnessError(code, `${head}: ${text}`, { details });
  }
  const whose = owner === "root" ? "other users can change it" : `it belongs to ${owner}`;
  return new HarnessError(
    "deploy_failed",
    `${head}: root must not work in ${path}, ${whose} (${mode}); ` +
      (found === "path"
        ? "use an install root that only root can change, up to /, or deploy without root"
        : `look who put it there, then give it to root or remove it`),
    { details: { ...details, mode } },
  );
}

/** What is said where the service's own directory belongs to another user than the one that deploys now. */
function bookkeeping(
  path: string,
  owner: string,
  { sudo, deployed }: BoundaryPlace & { deployed: boolean },
): { code: "conflict" | "deploy_failed"; text: string } {
  const how = deployed ? "it was deployed there" : "its directory was made there";
  if (owner === "root") {
    return {
      code: "conflict",
      text: `${how} as root (${path} is root's); use --become sudo`,
    };
  }
  const without = sudo ? " without --become sudo" : "";
  return {
    code: "conflict",
    text: `${how} as ${owner} (${path} belongs to ${owner}), who could change what runs as ` +
      `another user; deploy it as ${owner}${without}, or stop it as ${owner} and move ${path} away first, ` +
      "or use another install root",
  };
}
