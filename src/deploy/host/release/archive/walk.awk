# Reads a tar file of which each line is a block of 512 bytes, in which \001 encodes NUL and \002 a line end.
# Prints `=` and the number of entries, or `!` and what is wrong. It is passed between single quotes, so it has none.
# -v most  bytes it may unpack to  -v idle  bytes of zeros at its end  -v entries  entries and directories in it
# -v path_bytes  length of a path  -v header_bytes  length of an extended header  -v pax_sizes  whether the tar of the
# host uses the size in a PAX header: that of BusyBox does not
function bad(why) {
  gsub("[\001-\037\177]", "?", why)
  print "!" why
  over = 1
  exit
}
function text(at, long,   field, end) {
  field = substr($0, at, long)
  end = index(field, nul)
  if (end == 0) return field
  if (substr(field, end) != substr(zeros, 1, long - end + 1)) bad("a name with a NUL")
  return substr(field, 1, end - 1)
}
function octal(digits,   value, i) {
  value = 0
  gsub("[ " nul "]", "", digits)
  for (i = 1; i <= length(digits); i++) value = value * 8 + substr(digits, i, 1)
  return value
}
# Values of an extended header for the next entry: programs disagree on which of two equal keys counts.
function say(key, value) {
  if (index(value, nul)) bad("a name with a NUL")
  if (key in said) bad("two extended headers say the same of one entry")
  said[key] = value
  saying = 1
}
function pax(   n, record, key) {
  for (; body != ""; body = substr(body, n + 1)) {
    n = index(body, " ")
    if (substr(body, 1, n - 1) !~ /^[1-9][0-9]*$/ || n > 7) bad("a malformed PAX header")
    record = substr(body, n + 1)
    n = substr(body, 1, n - 1) + 0
    if (n > length(body) || substr(body, n, 1) != line_end) bad("a malformed PAX header")
    record = substr(record, 1, length(record) - length(body) + n - 1)
    key = substr(record, 1, index(record, "=") - 1)
    if (key == "") bad("a malformed PAX header")
    if (!(key in harmless) || (kind == "g" && key != "comment")) bad("a PAX header with " key)
    say(key, substr(record, length(key) + 2))
  }
}
function extended() {
  if (kind == "x" || kind == "g") { pax(); return }
  if (body == "" || index(body, nul) != length(body)) bad("a long name with a NUL")
  say(kind == "L" ? "path" : "linkpath", substr(body, 1, length(body) - 1))
}
# Claims a path: it has one type and one spelling. Returns whether it is new.
function claim(path, directory,   key) {
  key = tolower(path)
  if (!(key in spelled)) {
    if (++claimed > entries) bad("more than " entries " entries")
    spelled[key] = path
    is_directory[key] = directory
    return 1
  }
  if (spelled[key] != path) bad("two names that differ only in case: " path)
  if (!directory || !is_directory[key]) bad("an entry behind a link or a file: " path)
  return 0
}
function add(name, directory,   path, up) {
  if (++listed > entries) bad("more than " entries " entries")
  if (name == "") bad("an empty name")
  if (name ~ /^\// || name ~ /^[A-Za-z]:/) bad("an absolute path: " name)
  if (name ~ /(^|\/)\.\.(\/|$)/) bad("a path with ..: " name)
  if (name ~ "[\001-\037\177]" || index(name, "\\")) bad("a name with a control character or a backslash: " name)
  if (length(name) > path_bytes) bad("a path of more than " path_bytes " bytes")
  path = name
  while (path ~ /^\.\//) path = substr(path, 3)
  if (path ~ /\/$/) {
    if (!directory) bad("a file that is named as a directory: " name)
    path = substr(path, 1, length(path) - 1)
  }
  if (directory && (path == "" || path == ".")) return
  if (path ~ /(^|\/)\.?(\/|$)/) bad("a path with an empty part: " name)
  if (path in added) bad("two entries of one name: " path)
  added[path] = 1
  for (up = path; sub(/\/[^\/]*$/, "", up);) if (!claim(up, 1)) break
  claim(path, directory)
}
BEGIN {
  nul = "\001"
  line_end = "\002"
  for (zeros = nul; length(zeros) < 512;) zeros = zeros zeros
  count = split("path linkpath size mtime atime ctime uid gid uname gname comment", words, " ")
  for (i = 1; i <= count; i++) harmless[words[i]] = 1
}
NR * 512 > most { bad("it unpacks to more than " most " bytes") }
skip > 0 { skip--; next }
ended {
  if ($0 != substr(zeros, 1, length($0))) bad("data after the end of the tar file")
  if (++ended * 512 > idle) bad("it unpacks to more than " idle " bytes of zeros behind its end")
  next
}
length($0) != 512 { bad("the tar file ends too early") }
extra > 0 {
  body = body substr($0, 1, extra)
  extra -= 512
  if (extra <= 0) extended()
  next
}
$0 == zeros {
  if (saying) bad("an extended header that belongs to no entry")
  ended = 1
  next
}
{
  magic = substr($0, 258, 8)
  if (magic != "ustar" nul "00" && magic != "ustar  " nul) bad("a header that is neither in ustar nor in GNU format")
  name = text(1, 100)
  link = text(158, 100)
  prefix = text(346, 155)
  if (prefix != "") {
    if (magic == "ustar  " nul) bad("a prefix in GNU format: " name)
    name = prefix "/" name
  }
  size = substr($0, 125, 12)
  if (size !~ ("^ *[0-7]*[ " nul "]*$")) bad("a size that is negative, no number, or over 8 GiB: " name)
  size = own = octal(size)
  kind = substr($0, 157, 1)
  if (kind ~ /[xgLK]/) {
    if (size > header_bytes) bad("an extended header of more than " header_bytes " bytes")
    body = ""
    extra = size
    if (extra == 0) extended()
    next
  }
  if ("path" in said) name = said["path"]
  if ("linkpath" in said) link = said["linkpath"]
  if ("size" in said) {
    size = said["size"]
    if (size !~ /^[0-9]+$/ || length(size) > 15) bad("a size that is negative or no number: " name)
    size += 0
    # Programs that use one or the other would read a body as entries, or entries as a body. A header has no digits
    # for 8 GiB.
    if (size != own && (size < 8589934592 || !pax_sizes)) bad("a PAX size that is not that of its header: " name)
  }
  for (key in said) delete said[key]
  saying = 0
  if (kind == "1") bad("a hard link: " name)
  if (kind != "0" && kind != nul && kind != "2" && kind != "5") bad("an entry that is no file, directory or symbolic link: " name)
  if (kind == "2" ? link == "" : link != "") bad("a link without a target, or a target without a link: " name)
  if (link ~ /^\//) bad("a link to an absolute path: " name)
  if ((kind == "2" || kind == "5") && size > 0) bad("a directory or a link with a body: " name)
  add(name, kind == "5")
  skip = int((size + 511) / 512)
  if ((NR + skip) * 512 > most) bad("it unpacks to more than " most " bytes")
}
END {
  if (over) exit
  if (ended < 2) bad("it is damaged, or the tar file ends too early")
  print "=" listed + 0
}
