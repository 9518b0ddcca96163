/**
 * The files that `package init` writes: a package that builds, deploys and runs as it is.
 *
 * @module
 */

/** One file of the template. */
export interface TemplateFile {
  /** Path inside the directory. */
  path: string;
  /** Content. */
  text: string;
  /** Whether it is a program. */
  executable: boolean;
}

/** The files of a new package called `name`. */
export function packageTemplate(name: string): TemplateFile[] {
  return [
    { path: "manifest.yaml", text: manifest(name), executable: false },
    { path: `bin/${name}`, text: PROGRAM, executable: true },
    { path: "scripts/start.sh", text: start(name), executable: true },
    { path: "scripts/health.sh", text: HEALTH, executable: true },
    {
      path: "config/example.conf",
      text: "# Files here travel with the package.\n",
      executable: false,
    },
  ];
}

function manifest(name: string): string {
  return `# The manifest of a package; docs/package-format.md explains every key.
name: ${name}
version: 0.1.0
description: What ${name} does, in one line

service:
  type: managed_process        # or systemd_service, docker_container
  start: foreground            # scripts/start.sh stays; daemon = it returns
  # user: ${name}              # run as this user
  # ports: [{name: http, port: 8080, protocol: http}]

env:
  GREETING: hello
  # API_URL: {required: true}
  # API_KEY: {secret: true}

# depends_on: [postgres]

health:
  script: scripts/health.sh
  interval: 10s
  timeout: 5s
  retries: 3
  start_period: 5s

restart: {policy: on-failure, max_retries: 5, backoff: 1s}
stop: {signal: TERM, timeout: 10s}
`;
}

function start(name: string): string {
  return `#!/bin/sh
# Starts the service and stays: exec, so that signals reach it.
set -eu
cd "$HARNESS_INSTALL_DIR"
exec bin/${name}
`;
}

const PROGRAM = `#!/bin/sh
# Put your program here. This one only prints that it is alive.
set -eu
trap 'echo "asked to stop"; exit 0' TERM INT
while :; do
  echo "$GREETING from $HARNESS_SERVICE $HARNESS_VERSION"
  sleep 60 & wait $!
done
`;

const HEALTH = `#!/bin/sh
# Exit 0 = healthy, 1 = warning, anything else = unhealthy. What is printed is kept.
echo "fine"
`;
