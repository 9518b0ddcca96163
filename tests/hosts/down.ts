/** `deno task hosts:down`: removes every test host. */
import { removeAllHosts } from "./hosts.ts";

const removed = await removeAllHosts();
Deno.stdout.writeSync(new TextEncoder().encode(`${removed} hosts removed\n`));
