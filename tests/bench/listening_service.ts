/** The service of the deployments that are measured: it listens on a port, and its health check connects to it. */
import { freePort } from "../helpers/free_port.ts";

const START = `#!/bin/sh
read -r port < "\${HARNESS_INSTALL_DIR%/*}/port"
exec python3 -c 'import os, socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True: s.accept()[0].close()' "$port"
`;
const HEALTH = `#!/bin/sh
root=\${HARNESS_INSTALL_DIR%/*}
read -r port < "$root/port"
bash -c ': < "/dev/tcp/127.0.0.1/$0"' "$port" 2>/dev/null || exit 2
`;

/** Writes its scripts into a package directory. */
export async function writeScripts(dir: string): Promise<void> {
  await Deno.mkdir(`${dir}/scripts`, { recursive: true });
  for (const [name, text] of [["start", START], ["health", HEALTH]] as const) {
    await Deno.writeTextFile(`${dir}/scripts/${name}.sh`, text, { mode: 0o755 });
  }
}

/** Makes an install root, with the port of the service. */
export async function makeRoot(root: string): Promise<void> {
  await Deno.mkdir(root);
  await Deno.writeTextFile(`${root}/port`, `${freePort()}\n`);
}
