/**
 * Holds back all output of ssh2 until a new exchange of keys is over.
 *
 * While keys are exchanged anew ssh2 queues what is to be sent, but it stops queueing once it has the new keys, before
 * the server has sent NEWKEYS. What is written in between is encrypted wrongly, and sshd drops the connection: with
 * `RekeyLimit` in sshd_config that happens in the middle of an upload. Here the exchange counts as going on until it is
 * over.
 *
 * Upstream: ssh2 1.17, no issue known.
 * Remove when: tests/executor/rekey_system_test.ts passes without it.
 *
 * @module
 */
// @ts-types="@types/ssh2"
import type { Client } from "ssh2";

interface Protocol {
  _kexinit?: unknown;
  _onHandshakeComplete?: (...args: unknown[]) => void;
}

/** Call it once, right after `connect()`. Where ssh2's internals differ, nothing is changed. */
export function holdBackDuringRekey(client: Client): void {
  const protocol = (client as unknown as { _protocol?: Protocol })._protocol;
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
