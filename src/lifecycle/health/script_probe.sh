# Runs a probe script as the service would be run. The run id comes on stdin.
# $1 work dir  $2 env file  $3 user  $4 whole seconds it may take at most
# $5 whether variables of the loader are left out, then the argv.
h_dir=$1 h_env=$2 h_as=$3 h_seconds=$4 h_plain=$5; shift 5
IFS= read -r h_id
exec 2>&1 </dev/null
h_login || { echo "the user $h_as does not exist on this machine"; exit 125; }
# The caller may be killed or disconnected: only the machine itself can end a script that hangs.
#include as_service
#include own_descriptors
exec "$@" 7<<RUN 8<"${h_env:-/dev/null}"
$h_id
RUN
