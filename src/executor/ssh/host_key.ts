/**
 * Verifies a host's key before anything is sent to the host.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { HarnessError } from "../../errors.ts";
import {
  checkHostKey,
  fingerprint,
  type HostKeyVerdict,
  keyTypeOf,
  type KnownHosts,
  knownKeyTypes,
} from "./known_hosts.ts";
import { addKnownHost, readKnownHosts } from "./known_hosts_file.ts";
import { quoteWord } from "../shell/quote.ts";
import { unreachable } from "./errors.ts";
import type { Hop } from "./types.ts";

const logger = getLogger(["harness", "executor"]);

/** Checks the key of one hop against its known_hosts files. */
export class HostKeyCheck {
  readonly #hop: Hop;
  readonly #known: KnownHosts;

  private constructor(hop: Hop, known: KnownHosts) {
    this.#hop = hop;
    this.#known = known;
  }

  /** Reads the known_hosts files of a hop. */
  static async read(hop: Hop): Promise<HostKeyCheck> {
    return new HostKeyCheck(hop, await readKnownHosts(hop.knownHostsFiles));
  }

  /** The key types by which the host is known. */
  knownTypes(): string[] {
    return this.#hop.keyNames.flatMap((name) => knownKeyTypes(this.#known.entries, name));
  }

  /**
   * Returns `null` when the key is the host's, else the error that ends the connection.
   *
   * @throws {HarnessError} `unavailable` when a new key cannot be recorded.
   */
  async check(key: Uint8Array): Promise<HarnessError | null> {
    const [name] = this.#hop.keyNames;
    let verdict = this.#verdict(key);
    if (verdict.status === "unknown" && this.#hop.hostKeyPolicy === "accept-new") {
      verdict = await addKnownHost(this.#hop.knownHostsFiles, name, key);
      if (verdict.status === "known") {
        logger.warn("Recorded the new host key {fingerprint} of {name}", {
          name,
          fingerprint: fingerprint(key),
        });
      }
    }
    return verdict.status === "known" ? null : this.#refusal(verdict, key);
  }

  /** As ssh does: under `[host]:port` first, and when nothing is known there, under the plain name. */
  #verdict(key: Uint8Array): HostKeyVerdict {
    const [name, plain] = this.#hop.keyNames;
    const verdict = checkHostKey(this.#known.entries, name, key);
    if (verdict.status !== "unknown" || plain === undefined) return verdict;
    const fallback = checkHostKey(this.#known.entries, plain, key);
    return fallback.status === "changed" ? verdict : fallback;
  }

  /** What adds this key; it asks the address, so an alias is left to the user. */
  #scanCommand(key: Uint8Array): string {
    const { address, port, keyNames: [name], knownHostsFiles: [file] } = this.#hop;
    const isAddress = name === address || name === `[${address}]:${port}`;
    if (!isAddress || file === undefined) return "ssh-keyscan";
    const type = /ed25519|ecdsa|rsa/.exec(keyTypeOf(key))?.[0] ?? "ed25519";
    return `ssh-keyscan -t ${type} -p ${port} ${quoteWord(address)} >> ${quoteWord(file)}`;
  }

  #withKey(key: Uint8Array, { code, message, details }: HarnessError): HarnessError {
    return new HarnessError(code, message, {
      details: { ...details, key_type: keyTypeOf(key), fingerprint: fingerprint(key) },
    });
  }

  #refusal(verdict: Exclude<HostKeyVerdict, { status: "known" }>, key: Uint8Array): HarnessError {
    const [name] = this.#hop.keyNames;
    const offered = `${keyTypeOf(key)} ${fingerprint(key)}`;
    if (verdict.status === "unknown") {
      const files = this.#hop.knownHostsFiles.join(", ") || "no file";
      const unreadable = this.#known.unreadable.length === 0
        ? ""
        : ` (lines that cannot be read: ${this.#known.unreadable.slice(0, 5).join(", ")})`;
      return this.#withKey(
        key,
        unreachable(
          this.#hop,
          "host_key",
          "host_key_unknown",
          `its host key ${offered} is not known as ${name} in ${files}${unreadable}; compare it with` +
            ` \`ssh-keygen -lf\` on the host and add it with \`${this.#scanCommand(key)}\`,` +
            " or use --host-key-policy accept-new",
        ),
      );
    }
    const { entry } = verdict;
    const place = `${entry.file}:${entry.line}`;
    if (verdict.status === "revoked") {
      const why = `its host key ${offered} is marked @revoked in ${place}; give the host a new key`;
      return unreachable(this.#hop, "host_key", "host_key_revoked", why);
    }
    return unreachable(
      this.#hop,
      "host_key",
      "host_key_changed",
      `its host key has CHANGED: it offers ${offered}, but ${place} has ${entry.type}` +
        ` ${fingerprint(entry.key)}; this may be an attack. If the host was set up anew,` +
        ` remove that line (ssh-keygen -R '${name}' -f ${entry.file}) and add the new key`,
    );
  }
}
