/** Ports for programs that cannot be told to take a free one, or that come back at the one they had. */

/** Lowest port to give out: below are the well-known ones. */
const FIRST = 10_000;

/** Where the ports begin that the kernel gives out by itself, to listeners on port 0 and to clients. */
function firstOfKernel(): number {
  const file = "/proc/sys/net/ipv4/ip_local_port_range";
  try {
    return Number(Deno.readTextFileSync(file).trim().split(/\s+/)[0]);
  } catch {
    return 32_768;
  }
}

/**
 * A loopback port on which nobody listens. It is none of those that the kernel gives out, so that nobody
 * else comes by it in the time until it is used, or between two uses.
 */
export function freePort(): number {
  const end = firstOfKernel();
  for (let attempt = 0; end > FIRST + 1000 && attempt < 100; attempt += 1) {
    const port = FIRST + Math.floor(Math.random() * (end - FIRST));
    try {
      Deno.listen({ hostname: "0.0.0.0", port }).close();
      return port;
    } catch {
      // Taken: the next one.
    }
  }
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
