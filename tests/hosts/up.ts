/**
 * `deno task hosts:up [count]`: starts real hosts for a developer and prints how to reach them.
 */
import { startHost } from "./hosts.ts";

const count = Number(Deno.args[0] ?? "2");
const write = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
for (let i = 0; i < count; i++) {
  const host = await startHost({ keep: true });
  write(
    `${host.name}: ssh -i ${host.identityFile} -o UserKnownHostsFile=${host.knownHostsFile} ` +
      `-p ${host.port} root@${host.host}`,
  );
}
write("Remove them with: deno task hosts:down");
