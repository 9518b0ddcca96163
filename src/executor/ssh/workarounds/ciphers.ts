/**
 * Frees the ciphers of a connection.
 *
 * Deno keeps a cipher until `final()` is called, which ssh2 leaves to the garbage collector for the CTR modes: each
 * connection would leak two, and each new exchange of keys two more.
 *
 * Upstream: Deno's node:crypto, no issue known.
 * Remove when: Deno frees ciphers that are garbage collected.
 *
 * @module
 */
// @ts-types="@types/ssh2"
import type { Client } from "ssh2";

/** What a packet cipher holds, in the modes that keep it. */
interface PacketCipher {
  _cipherInstance?: { final(): unknown };
  _decipherInstance?: { final(): unknown };
}

/** Where the ciphers of former keys are remembered. */
const RETIRED = Symbol("retired ciphers");

interface Protocol {
  _cipher?: PacketCipher | undefined;
  _decipher?: PacketCipher | undefined;
  [RETIRED]?: PacketCipher[];
}

function protocolOf(client: Client): Protocol | undefined {
  return (client as unknown as { _protocol?: Protocol })._protocol;
}

/**
 * Keeps track of the ciphers, past ones included. Call it once, right after `connect()`. Where ssh2's internals differ,
 * nothing is changed.
 */
export function trackCiphers(client: Client): void {
  const protocol = protocolOf(client);
  if (protocol === undefined) return;
  const retired: PacketCipher[] = protocol[RETIRED] = [];
  for (const name of ["_cipher", "_decipher"] as const) {
    let current = protocol[name];
    Object.defineProperty(protocol, name, {
      configurable: true,
      enumerable: true,
      get: () => current,
      set: (next: PacketCipher) => {
        // Not freed yet: it may be what the packet that brings the new keys is being read with.
        if (current !== undefined) retired.push(current);
        current = next;
      },
    });
  }
}

/** Frees all ciphers of a client whose socket is closed. */
export function freeCiphers(client: Client): void {
  const protocol = protocolOf(client);
  const all = [...protocol?.[RETIRED] ?? [], protocol?._cipher, protocol?._decipher];
  for (const cipher of all.flatMap((one) => [one?._cipherInstance, one?._decipherInstance])) {
    try {
      cipher?.final();
    } catch {
      // Cut off inside a packet, or freed already: either way nothing is held.
    }
  }
}
