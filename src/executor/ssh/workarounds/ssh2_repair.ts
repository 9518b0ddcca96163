/**
 * Three faults of ssh2 1.17 that are put right from outside, on each connection, until they are fixed there.
 * Two of the repairs reach into its inner objects; where these look different, nothing is touched.
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
  _kexinit?: unknown;
  _onHandshakeComplete?: (...args: unknown[]) => void;
  _cipher?: PacketCipher | undefined;
  _decipher?: PacketCipher | undefined;
  [RETIRED]?: PacketCipher[];
}

function protocolOf(client: Client): Protocol | undefined {
  return (client as unknown as { _protocol?: Protocol })._protocol;
}

/**
 * Runs `answer`, which answers ssh2's `hostVerifier`, in a turn of the event loop of its own.
 *
 * An answer that comes while ssh2 is inside its key exchange is lost: it sees that the exchange is being
 * finished, and never sends its NEWKEYS, so that the connection hangs (mscdex/ssh2#1040, #1268). A promise
 * is not late enough: Deno runs microtasks in the middle of the first `createHash()` of a process, which
 * ssh2 calls there. No longer needed once ssh2 takes an answer at any time.
 */
export function inOwnTurn(answer: () => void): void {
  setTimeout(answer, 0);
}

/**
 * While keys are exchanged anew ssh2 queues what is to be sent, but it stops doing so when it has the new
 * keys and not yet the server's word to use them. What falls between goes out garbled, and sshd drops the
 * connection: with the sshd setting `RekeyLimit` that happens in the middle of an upload. Here the
 * exchange counts as going on until it is over.
 *
 * Call it once, right after `connect()`.
 */
export function repairRekey(client: Client): void {
  const protocol = protocolOf(client);
  const complete = protocol?._onHandshakeComplete;
  if (protocol === undefined || complete === undefined || !("_kexinit" in protocol)) return;
  let exchange = protocol._kexinit;
  Object.defineProperty(protocol, "_kexinit", {
    configurable: true,
    enumerable: true,
    get: () => exchange,
    set: (value: unknown) => exchange = value ?? exchange,
  });
  protocol._onHandshakeComplete = (...args) => {
    exchange = undefined;
    complete(...args);
  };
}

/**
 * Under Deno a cipher is held until `final()` is called, which ssh2 leaves to the garbage collector for
 * the CTR modes: each connection would leave two behind, and each new exchange of keys two more.
 *
 * Call it once, right after `connect()`, and {@linkcode freeCiphers} when the socket is closed.
 */
export function rememberCiphers(client: Client): void {
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

/** Frees what {@linkcode rememberCiphers} remembered. */
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
