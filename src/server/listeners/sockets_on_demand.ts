/**
 * WebSockets whose code is loaded after the start, of which it would take a sixth: with the first handshake, which
 * waits for it, or before.
 *
 * @module
 */
import type { Gate } from "../gate.ts";
import { errorResponse, notLoaded } from "../http/http_errors.ts";
import type { Sockets, Upgrade } from "./listener.ts";
import { writeRawResponse } from "./node_http.ts";

/** Loads the sockets of `npm:ws` when they are needed. */
export class SocketsOnDemand implements Sockets {
  readonly #handler: Gate;
  #sockets: Sockets | null = null;
  #loading: Promise<Sockets> | null = null;
  #closed = false;

  /** Loads nothing yet. */
  constructor(handler: Gate) {
    this.#handler = handler;
  }

  /** Loads them. Rejects where that fails. */
  async warmUp(): Promise<void> {
    await this.#loaded();
  }

  /** Does the handshake, once there are sockets. */
  accept(upgrade: Upgrade): void {
    if (this.#sockets === null) void this.#acceptLater(upgrade);
    else this.#sockets.accept(upgrade);
  }

  /** Stops what the sockets do at intervals. */
  close(): void {
    this.#closed = true;
    this.#sockets?.close();
  }

  async #acceptLater(upgrade: Upgrade): Promise<void> {
    try {
      const sockets = await this.#loaded();
      if (!upgrade.socket.destroyed) return sockets.accept(upgrade);
    } catch (error) {
      void writeRawResponse(upgrade.socket, errorResponse(error));
    }
    this.#handler.abandon(upgrade.admission);
  }

  #loaded(): Promise<Sockets> {
    return this.#loading ??= this.#load();
  }

  async #load(): Promise<Sockets> {
    try {
      const { WsSockets } = await import("./ws_sockets.ts");
      const sockets = new WsSockets(this.#handler);
      if (this.#closed) sockets.close();
      return this.#sockets = sockets;
    } catch (error) {
      throw notLoaded("its WebSockets", error);
    }
  }
}
