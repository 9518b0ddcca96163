# Reads the env file ARGV[2] (NAME='value', see env_file.ts). ARGV[1] is what to print: `odd` the names whose values
# docker's own format cannot carry; `file` that format; `json` the body of a request that creates a container, from image
# ARGV[3], stop signal ARGV[4], restart policy ARGV[5], retries ARGV[6], the count of labels ARGV[7], a name and a value
# each, then words `-p PORT:PORT[/udp]`. `most` is the longest line of docker's own format.
function swap(text, pattern, by,   parts, n, i, out) {
  n = split(text, parts, pattern)
  if (n < 2) return text
  out = parts[1]
  for (i = 2; i <= n; i++) out = out by parts[i]
  return out
}
function json(text,   i, c) {
  text = swap(text, "[\\\\]", "\\\\")
  text = swap(text, "\"", "\\\"")
  text = swap(text, "\n", "\\n")
  for (i = 1; i < 32; i++) {
    c = sprintf("%c", i)
    if (index(text, c)) text = swap(text, c, sprintf("%cu%04x", 92, i))
  }
  return "\"" text "\""
}
function take(name, value) {
  if (ARGV[1] == "odd") {
    if (index(value, "\n") || substr(value, length(value)) == "\r" || length(name) + length(value) > most) print name
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
    bound = bound (bound == "" ? "" : ",") json(i) ":[{\"HostPort\":" json(port) "}]"
  }
  print "{\"Image\":" json(ARGV[3]) ",\"Env\":[" env "],\"Labels\":{" labels "},\"StopSignal\":" json(ARGV[4]) \
    ",\"ExposedPorts\":{" exposed "},\"HostConfig\":{\"RestartPolicy\":{\"Name\":" json(ARGV[5]) \
    ",\"MaximumRetryCount\":" (ARGV[6] + 0) "},\"PortBindings\":{" bound "}}}"
}
BEGIN {
  quote = sprintf("%c", 39)
  escaped = quote "\"" quote "\"" quote
  while ((code = (getline line < ARGV[2])) > 0) {
    if (!inside) {
      if (line !~ /^[A-Za-z_][A-Za-z0-9_]*=/) continue
      name = substr(line, 1, index(line, "=") - 1)
      line = substr(line, index(line, "=") + 1)
      if (substr(line, 1, 1) != quote) { take(name, line); continue }
      line = substr(line, 2)
      value = ""
      inside = 1
    } else value = value "\n"
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
