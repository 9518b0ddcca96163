/**
 * A listening server: a {@linkcode ConnectionHandler} behind a listener.
 *
 * @module
 */
import { ConnectionHandler } from "./handler.ts";
import { openServer, type ServeOptions, type WsServer } from "./listening.ts";

export type { ServeOptions, WsServer };

/**
 * Serves a registry over WebSocket and HTTP.
 *
 * @throws {HarnessError} `forbidden` for an address that other machines reach without a token,
 * `unavailable` when the port is taken, `invalid_params` for a bad address or certificate.
 */
export function serve(options: ServeOptions): Promise<WsServer> {
  return openServer(options, (handled) => new ConnectionHandler(handled));
}
