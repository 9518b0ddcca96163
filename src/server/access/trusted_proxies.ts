/**
 * The address of a client behind proxies that the operator trusts.
 *
 * A proxy appends the address of its peer to `X-Forwarded-For`. Everything left of what trusted proxies appended
 * comes from the client, which may write anything there. So the list is read from its right end, and the first
 * address that is no trusted proxy is the client's. The result is for limits, logs and the audit log alone: rights
 * never follow from it.
 *
 * @module
 */
import { BlockList, isIP } from "node:net";
import { HarnessError } from "../../errors.ts";
import { MAX_FORWARDED_ADDRESSES } from "../limits.ts";

/** A set of addresses and networks. */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;

  /**
   * Takes addresses (`10.0.0.5`, `::1`) and networks (`10.0.0.0/8`).
   *
   * @throws {HarnessError} `invalid_params` for anything else.
   */
  constructor(proxies: readonly string[] = []) {
    this.#isEmpty = proxies.length === 0;
    for (const proxy of proxies) {
      const { address, bits } = parseNetwork(proxy);
      this.#list.addSubnet(address, bits, familyOf(address));
    }
  }

  /** Whether a TCP peer is one of them. */
  has(address: string): boolean {
    const plain = plainAddress(address);
    return !this.#isEmpty && plain !== null && this.#list.check(plain, familyOf(plain));
  }

  /** The client's address for a request of the TCP peer `peer`. */
  clientOf({ headers }: Request, peer: string | undefined): string | undefined {
    if (peer === undefined || !this.has(peer)) return peer;
    const forwarded = headers.get("x-forwarded-for")?.split(",").reverse() ?? [];
    let client = peer;
    for (const text of forwarded.slice(0, MAX_FORWARDED_ADDRESSES)) {
      const address = plainAddress(text.trim());
      // Neither an address nor a proxy's: what stands left of it proves nothing.
      if (address === null) return client;
      client = address;
      if (!this.has(address)) return client;
    }
    return client;
  }
}

/**
 * Reads an address or a network.
 *
 * @throws {HarnessError} `invalid_params` for anything else.
 */
export function parseNetwork(text: string): { address: string; bits: number } {
  const [address = "", bits, ...rest] = text.split("/");
  const max = isIP(address) === 4 ? 32 : 128;
  const size = bits === undefined ? max : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
  if (isIP(address) !== 0 && !address.includes("%") && size <= max && rest.length === 0) {
    return { address, bits: size };
  }
  throw new HarnessError(
    "invalid_params",
    `Cannot trust the proxy "${text.slice(0, 64)}": ` +
      "write an IP address or a network such as 10.0.0.0/8",
  );
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return address.includes(":") ? "ipv6" : "ipv4";
}

/** An address without a zone, brackets and port, or `null` for anything else. */
function plainAddress(text: string): string | null {
  const match = /^\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?$/.exec(text) ??
    /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/.exec(text);
  const plain = (match?.[1] ?? text).replace(/%.*/s, "");
  return isIP(plain) === 0 ? null : plain;
}
