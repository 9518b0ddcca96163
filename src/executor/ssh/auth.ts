/**
 * Authentication: which keys are tried, in which order, and a summary for when none was accepted.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import * as fs from "node:fs/promises";
import process from "node:process";
// @ts-types="@types/ssh2"
import ssh2 from "ssh2";
// @ts-types="@types/ssh2"
import type { AnyAuthMethod, ParsedKey } from "ssh2";
import { messageOf } from "../../errors.ts";
import { SSH_MAX_KEYS } from "../limits.ts";
import { repairEcdsaKey } from "./workarounds/ecdsa_key.ts";
import { fingerprint } from "./known_hosts.ts";
import { expandHome } from "./config.ts";
import { keyFileError } from "./errors.ts";
import type { Hop } from "./types.ts";

/** A method to try, and its label for messages. */
interface Attempt {
  label: string;
  method: AnyAuthMethod;
}

function publicBlob(key: ParsedKey): Buffer {
  return Buffer.from(key.getPublicSSH());
}

/** An agent that offers only the named keys: `IdentitiesOnly`. */
class FilteredAgent extends ssh2.OpenSSHAgent {
  readonly #allowed: readonly Buffer[];

  constructor(socketPath: string, allowed: readonly Buffer[]) {
    super(socketPath);
    this.#allowed = allowed;
  }

  override getIdentities(callback: Parameters<ssh2.OpenSSHAgent["getIdentities"]>[0]): void {
    super.getIdentities((error, keys) => {
      if (error) return callback(error);
      callback(undefined, (keys ?? []).filter((key) => this.#isAllowed(key)));
    });
  }

  #isAllowed(key: unknown): boolean {
    const parsed = ssh2.utils.parseKey(key as Buffer);
    if (parsed instanceof Error) return false;
    return this.#allowed.some((allowed) => allowed.equals(publicBlob(parsed)));
  }
}

/**
 * Checks that the key file named for this host can be read.
 *
 * @throws {HarnessError} `unreachable` at step `auth`, naming the file and this machine.
 */
export async function requireKeyFile(file: string, hop: Hop): Promise<void> {
  const path = expandHome(file, process.cwd());
  try {
    await fs.readFile(path);
  } catch (error) {
    throw keyFileError(hop, path, error);
  }
}

/** The credentials for one hop, read before connecting. */
export class Credentials {
  readonly #hop: Hop;
  readonly #attempts: Attempt[] = [];
  readonly #notes: string[] = [];
  #next = 0;
  #accepts: readonly string[] | null = null;

  private constructor(hop: Hop) {
    this.#hop = hop;
  }

  /** Reads the key files of a hop. A file that cannot be used is noted for the error message. */
  static async read(hop: Hop): Promise<Credentials> {
    const credentials = new Credentials(hop);
    for (const file of hop.identityFiles) await credentials.#addFile(file, { named: true });
    await credentials.#addAgent();
    if (hop.identityFiles.length === 0) {
      for (const file of hop.defaultIdentityFiles) {
        await credentials.#addFile(file, { named: false });
      }
    }
    return credentials;
  }

  async #addFile(file: string, options: { named: boolean }): Promise<void> {
    const keys = this.#attempts.filter(({ method }) => method.type === "publickey").length;
    if (keys >= SSH_MAX_KEYS) {
      this.#notes.push(`${file} (not tried: at most ${SSH_MAX_KEYS} keys are)`);
      return;
    }
    let text: Buffer;
    try {
      text = await fs.readFile(file);
    } catch (error) {
      if (options.named) this.#notes.push(`${file} (cannot be read: ${messageOf(error)})`);
      return;
    }
    const parsed = ssh2.utils.parseKey(text, this.#hop.passphrase ?? undefined);
    const key = Array.isArray(parsed) ? parsed[0] : parsed;
    if (key === undefined || key instanceof Error || !key.isPrivateKey()) {
      this.#notes.push(`${file} (${this.#problem(key)})`);
      return;
    }
    try {
      repairEcdsaKey(key);
    } catch (error) {
      this.#notes.push(`${file} (${messageOf(error)})`);
      return;
    }
    this.#attempts.push({
      label: `${file} (${fingerprint(publicBlob(key))})`,
      method: { type: "publickey", username: this.#hop.user, key: key as unknown as Buffer },
    });
  }

  #problem(key: ParsedKey | Error | undefined): string {
    if (key === undefined || !(key instanceof Error)) return "holds no private key";
    if (!/passphrase|integrity check|decrypt/i.test(key.message)) return key.message;
    return this.#hop.passphrase === null
      ? "encrypted: set $HARNESS_SSH_PASSPHRASE or $HARNESS_SSH_PASSPHRASE_FILE, or load it into ssh-agent"
      : "encrypted: the passphrase is wrong";
  }

  async #addAgent(): Promise<void> {
    const socket = this.#hop.agentSocket;
    if (socket === null || socket === "") return;
    const allowed = this.#hop.identitiesOnly ? await this.#namedPublicKeys() : null;
    const agent = allowed === null
      ? new ssh2.OpenSSHAgent(socket)
      : new FilteredAgent(socket, allowed);
    this.#attempts.push({
      label: `ssh-agent at ${socket}`,
      method: { type: "agent", username: this.#hop.user, agent },
    });
  }

  /** Public halves of the named keys, which need no passphrase. */
  async #namedPublicKeys(): Promise<Buffer[]> {
    const found: Buffer[] = [];
    for (const file of this.#hop.identityFiles) {
      const text = await fs.readFile(`${file}.pub`).catch(() => null);
      if (text === null) continue;
      const key = ssh2.utils.parseKey(text);
      if (!(key instanceof Error)) found.push(publicBlob(key));
    }
    return found;
  }

  /** Starts over with the first method, for a new connection. */
  restart(): void {
    this.#next = 0;
  }

  /** The next method to try, or `false`; `accepts` are the methods that the server offers. */
  next(accepts: readonly string[] | null): AnyAuthMethod | false {
    if (accepts !== null) this.#accepts = accepts;
    const attempt = this.#attempts[this.#next];
    this.#next += 1;
    return attempt?.method ?? false;
  }

  /** Adds a problem to the summary, such as an agent that does not respond. */
  note(text: string): void {
    if (!this.#notes.includes(text)) this.#notes.push(text);
  }

  /** What was tried and what was not usable, for a message. */
  summary(): string {
    const tried = this.#attempts.slice(0, this.#next).map(({ label }) => label);
    const parts = [tried.length === 0 ? "no key was tried" : `tried ${tried.join(", ")}`];
    if (this.#notes.length > 0) parts.push(`not usable: ${this.#notes.join(", ")}`);
    if (this.#accepts !== null) parts.push(`the server accepts ${this.#accepts.join(", ")}`);
    return parts.join("; ");
  }
}
