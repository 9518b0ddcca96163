/**
 * How the variables of a container reach docker: from our env file to docker's own format, or to the daemon as JSON.
 *
 * Everything goes through a pipe: no value is ever an argument, a file, or a variable of the docker client.
 *
 * @module
 */
import { DOCKER_CHANGE_SECONDS, DOCKER_ENV_LINE_BYTES, DOCKER_LOOK_SECONDS } from "./limits.ts";
import { LABELS } from "./shell.ts";

/**
 * awk: reads the env file ARGV[2] (`NAME='value'`, see env_file.ts). ARGV[1] is what to print: `odd` the names whose
 * values docker's own format cannot carry; `file` that format; `json` the body of a request that creates a container,
 * from image ARGV[3], stop signal ARGV[4], restart policy ARGV[5], retries ARGV[6], the count of labels ARGV[7], a name
 * and a value each, then words `-p PORT:PORT[/udp]`.
 */
const CONVERT = `
function swap(text, pattern, by,   parts, n, i, out) {
  n = split(text, parts, pattern)
  if (n < 2) return text
  out = parts[1]
  for (i = 2; i <= n; i++) out = out by parts[i]
  return out
}
function json(text,   i, c) {
  text = swap(text, "[\\\\\\\\]", "\\\\\\\\")
  text = swap(text, "\\"", "\\\\\\"")
  text = swap(text, "\\n", "\\\\n")
  for (i = 1; i < 32; i++) {
    c = sprintf("%c", i)
    if (index(text, c)) text = swap(text, c, sprintf("%cu%04x", 92, i))
  }
  return "\\"" text "\\""
}
function take(name, value) {
  if (ARGV[1] == "odd") {
    if (index(value, "\\n") || substr(value, length(value)) == "\\r" || length(name) + length(value) > ${DOCKER_ENV_LINE_BYTES}) print name
  } else if (ARGV[1] == "file") print name "=" value
  else env = env (env == "" ? "" : ",") json(name "=" value)
}
function body(   i, at, port, labels, exposed, bound) {
  at = 8
  for (i = 0; i < ARGV[7]; i++) {
    labels = labels (i ? "," : "") json(ARGV[at]) ":" json(ARGV[at + 1])
    at += 2
  }
  for (; at < ARGC; at += 2) {
    port = substr(ARGV[at + 1], 1, index(ARGV[at + 1], ":") - 1)
    i = port (ARGV[at + 1] ~ /udp$/ ? "/udp" : "/tcp")
    exposed = exposed (exposed == "" ? "" : ",") json(i) ":{}"
    bound = bound (bound == "" ? "" : ",") json(i) ":[{\\"HostPort\\":" json(port) "}]"
  }
  print "{\\"Image\\":" json(ARGV[3]) ",\\"Env\\":[" env "],\\"Labels\\":{" labels "},\\"StopSignal\\":" json(ARGV[4]) \\
    ",\\"ExposedPorts\\":{" exposed "},\\"HostConfig\\":{\\"RestartPolicy\\":{\\"Name\\":" json(ARGV[5]) \\
    ",\\"MaximumRetryCount\\":" (ARGV[6] + 0) "},\\"PortBindings\\":{" bound "}}}"
}
BEGIN {
  quote = sprintf("%c", 39)
  escaped = quote "\\"" quote "\\"" quote
  while ((code = (getline line < ARGV[2])) > 0) {
    if (!inside) {
      if (line !~ /^[A-Za-z_][A-Za-z0-9_]*=/) continue
      name = substr(line, 1, index(line, "=") - 1)
      line = substr(line, index(line, "=") + 1)
      if (substr(line, 1, 1) != quote) { take(name, line); continue }
      line = substr(line, 2)
      value = ""
      inside = 1
    } else value = value "\\n"
    probe = line
    gsub(escaped, "", probe)
    gsub(escaped, quote, line)
    if (probe != "" && substr(probe, length(probe)) == quote) {
      take(name, value substr(line, 1, length(line) - 1))
      inside = 0
    } else value = value line
  }
  if (code < 0 || inside) exit 3
  if (ARGV[1] == "json") body()
}
`;

/**
 * Functions that create the container $h_name of image $1 with the ports `-p PORT:PORT[/udp]` of the other arguments,
 * after the library of lifecycle/drivers/docker/shell.ts. They leave the exit code in h_code and docker's words in h_words.
 */
export const CREATE_FUNCTIONS: string = `
h_awk='${CONVERT.replaceAll("'", `'"'"'`)}'
# By the docker client.
h_create() {
  h_from=$1
  shift
  # Docker would fetch an image that went away this moment; old ones do not know how not to.
  case $(h_docker ${DOCKER_LOOK_SECONDS} create --help 2>/dev/null </dev/null) in *--pull*) set -- --pull never "$@" ;; esac
  set -- --name "$h_name" --label "${LABELS.service}=$h_service" --label "${LABELS.root}=$h_root" \\
    --label "${LABELS.release}=$h_release" --label "${LABELS.run}=$h_run" --label "${LABELS.print}=$h_print" \\
    --restart "$h_restart" --stop-signal "$h_stop" "$@"
  h_code=0
  if [ -n "$h_env" ]; then
    h_words=$(awk "$h_awk" file "$h_env" |
      h_docker ${DOCKER_CHANGE_SECONDS} create "$@" --env-file /dev/stdin -- "$h_from" 2>&1 >/dev/null) || h_code=$?
  else
    h_words=$(h_docker ${DOCKER_CHANGE_SECONDS} create "$@" -- "$h_from" 2>&1 >/dev/null </dev/null) || h_code=$?
  fi
}
# By the daemon's own interface, which takes any value and never pulls. The docker client only passes it on.
h_request() {
  h_from=$1
  shift
  h_retries=0
  case $h_restart in *:*) h_retries=\${h_restart#*:} ;; esac
  h_body=$(awk "$h_awk" json "$h_env" "$h_from" "$h_stop" "\${h_restart%%:*}" "$h_retries" \\
    5 "${LABELS.service}" "$h_service" "${LABELS.root}" "$h_root" "${LABELS.release}" "$h_release" \\
    "${LABELS.run}" "$h_run" "${LABELS.print}" "$h_print" "$@") || h_fail "its env file $h_env cannot be read"
  h_code=0
  h_words=$({
    printf 'POST /containers/create?name=%s HTTP/1.1\\r\\nHost: docker\\r\\nContent-Type: application/json\\r\\n' "$h_name"
    printf 'Content-Length: %s\\r\\nConnection: close\\r\\n\\r\\n' "$(printf '%s' "$h_body" | wc -c | tr -d ' ')"
    printf '%s' "$h_body"
    # An end of input would be taken for a caller that went away.
    h_t=0
    while [ $h_t -lt ${DOCKER_CHANGE_SECONDS}0 ]; do h_nap; printf '\\n' || break; done
  } 2>/dev/null | h_docker ${DOCKER_CHANGE_SECONDS} system dial-stdio 2>&1) || h_code=$?
  h_body=
  if h_late "$h_code"; then return; fi
  case $h_words in
    "HTTP/1."?" 201 "*) h_code=0 ;;
    "HTTP/1."*) h_code=1 ;;
    *) h_fail "the value of $(printf %s "$h_names" | tr '\\n' ' ') cannot be given to this docker: it holds a line end or is longer than ${DOCKER_ENV_LINE_BYTES} bytes, and docker system dial-stdio failed ($(printf '%s\\n' "$h_words" | tail -n 1)); encode the value, in base64 for example, or install a newer docker" ;;
  esac
}
`;
