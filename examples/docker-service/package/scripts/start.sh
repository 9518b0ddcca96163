#!/bin/sh
# Every package has this file. A container is started by docker instead, so this one is never run.
echo "docker-service runs as a container" >&2
exit 1
