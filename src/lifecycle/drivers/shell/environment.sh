# shellcheck disable=SC2123 # sets the PATH of every script
# First lines of every script: nothing of the caller's environment decides which programs are executed.
IFS=' 	
'
unset BASH_ENV ENV CDPATH GREP_OPTIONS LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GCONV_PATH LOCPATH GLIBC_TUNABLES
h_fixed_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
h_given_path=${PATH:-$h_fixed_path}
# Nothing of a relative directory, and, as root (whose "/" is), nothing of a directory that is somebody else's.
h_part= PATH= IFS=:
set -f
for h_part in $h_given_path; do
  case $h_part in /*) if [ -O "$h_part" ] || [ ! -O / ]; then PATH=$PATH$h_part:; fi ;; esac
done
set +f
PATH=$PATH$h_fixed_path
IFS=' 	
'
export PATH
