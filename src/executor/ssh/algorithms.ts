/**
 * The algorithms that are offered: modern ones only, ciphers in the order of their speed under Deno.
 *
 * @module
 */

/**
 * Ciphers, fastest first, measured under Deno 2.9 with tests/bench/ssh_upload_bench.ts: AES-CTR with a
 * separate MAC beats AES-GCM there.
 *
 * chacha20-poly1305 is not offered: ssh2 creates three ciphers for each packet and never finalizes them, and Deno keeps
 * every one of them until the process ends. Every server has AES.
 */
export const CIPHERS: readonly string[] = [
  "aes128-ctr",
  "aes256-ctr",
  "aes128-gcm@openssh.com",
  "aes256-gcm@openssh.com",
];

/** Message authentication for the CTR ciphers: encrypt-then-MAC first; nothing with SHA-1. */
export const MACS: readonly string[] = [
  "hmac-sha2-256-etm@openssh.com",
  "hmac-sha2-512-etm@openssh.com",
  "hmac-sha2-256",
  "hmac-sha2-512",
];

/** Key exchange: nothing with SHA-1. */
export const KEY_EXCHANGES: readonly string[] = [
  "curve25519-sha256",
  "curve25519-sha256@libssh.org",
  "ecdh-sha2-nistp256",
  "ecdh-sha2-nistp384",
  "ecdh-sha2-nistp521",
  "diffie-hellman-group-exchange-sha256",
  "diffie-hellman-group14-sha256",
  "diffie-hellman-group16-sha512",
  "diffie-hellman-group18-sha512",
];

const HOST_KEYS: readonly string[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];

/**
 * Host key algorithms to ask for, first those of the key types by which the host is known: a host recorded with one type
 * must not count as changed because it also has another.
 */
export function hostKeyAlgorithms(knownTypes: readonly string[]): string[] {
  const known = knownTypes.flatMap((type) =>
    type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type]
  );
  const first = known.filter((algorithm) => HOST_KEYS.includes(algorithm));
  return [...new Set([...first, ...HOST_KEYS])];
}
