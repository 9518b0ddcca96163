/**
 * IP addresses of peers, as limits per address count them.
 *
 * The address of the TCP connection: a header such as `X-Forwarded-For` can be forged, and only counts where a
 * trusted proxy has written it (`trusted_proxies.ts`).
 *
 * @module
 */

/**
 * The key by which an address is counted: an IPv4 address (also as `::ffff:…`), or the first 64 bits of an IPv6
 * address, since every machine has all the addresses of such a network.
 */
export function addressKey(address: string): string {
  const plain = address.toLowerCase().replace(/%.*/s, "");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1];
  if (mapped !== undefined) return mapped;
  if (!plain.includes(":") || plain === "::1") return plain;
  const [head = "", tail] = plain.split("::", 2);
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array<string>(zeros).fill("0"), ...after];
  return `${groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":")}::/64`;
}

/**
 * Whether an address or host name is only reachable from this machine. Any spelling it does not know is treated as
 * reachable by others, which is the safe answer.
 */
export function isLoopback(hostname: string): boolean {
  const plain = hostname.toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/%.*/s, "");
  return plain === "localhost" || plain === "::1" ||
    /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(plain);
}

/** Counts something per address. */
export class AddressCounts {
  readonly #counts = new Map<string, number>();

  /** The count of an address. */
  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  /** Adds one; the returned function takes it back, once. */
  add(key: string): () => void {
    this.#counts.set(key, this.of(key) + 1);
    let added = true;
    return () => {
      if (!added) return;
      added = false;
      const left = this.of(key) - 1;
      if (left === 0) this.#counts.delete(key);
      else this.#counts.set(key, left);
    };
  }
}
