# Inspects the container, regardless of its owner.
h_look "$h_name"
[ -z "$s_id" ] || h_show "$s_id"
h_tell seen
h_stray=$(h_strays "${s_id:-none}")
[ -z "$h_stray" ] || h_show "${h_stray%% *}"
