/**
 * The server independent of the runtime: handles requests and sockets of any HTTP server.
 *
 * `serve()` uses it with `node:http`; with any other HTTP server:
 *
 * ```text
 * upgrade request ─► checkUpgrade(request)   ─ not ok ─► send its response
 *                        │ ok: do the 101, confirm admission.protocol
 *                    open(socket, admission) ─► { onMessage, onClose }
 * other request   ─► respond(request)
 * ```
 *
 * @module
 */
import { makeClients } from "./clients.ts";
import { Gate, type HandlerOptions } from "./gate.ts";

/** All connections of a server. */
export class ConnectionHandler extends Gate {
  /** Starts listening to the registry. */
  constructor(options: HandlerOptions) {
    super(options);
    this.serveWith(makeClients);
  }
}
