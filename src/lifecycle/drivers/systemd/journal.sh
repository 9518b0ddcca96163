# Exact matches instead of -u, which takes patterns: what the unit wrote, and what systemd and other system services
# wrote about it. The fields with an underscore are journald's own: nobody else can write them. $1 unit  $2 lines.
h_id=$(systemctl show -p Id -- "$1" 2>/dev/null | cut -d= -f2-)
h_id=${h_id:-$1}
h_n=$2
set -- _SYSTEMD_UNIT="$h_id" + _PID=1 UNIT="$h_id" + _UID=0 OBJECT_SYSTEMD_UNIT="$h_id"
