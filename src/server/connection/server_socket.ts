/**
 * The interface between a connection and the transport that carries it.
 *
 * A listener (`listeners/node_listener.ts`, or yours) makes a
 * {@linkcode ServerSocket} of its runtime's socket, passes it to `ConnectionHandler.open()` and forwards
 * what arrives to the {@linkcode ConnectionEvents} it gets back. Nothing else in the server depends on a
 * kind of socket.
 *
 * @module
 */

/** Whether other sockets are sent the same text, so that its encoded form is worth keeping. */
export type Recipients = "one" | "many";

/** The operations of a socket that a connection uses. No method may throw; on a closed socket they do nothing. */
export interface ServerSocket {
  /** Queues a text frame. @default recipients {"one"} */
  send(text: string, recipients?: Recipients): void;
  /**
   * Starts the closing handshake. Frames queued before may still be sent. `atOnce` is for a peer that does not
   * stop sending: its messages must be dropped, whether or not it reads the reason.
   */
  close(code: number, reason: string, options?: { atOnce?: boolean }): void;
  /** Drops the connection now, without a handshake. Left out where the runtime cannot. */
  terminate?(): void;
  /** Bytes queued that the peer has not read yet. */
  bufferedBytes(): number;
}

/** The events that a listener reports to a connection. No method throws. */
export interface ConnectionEvents {
  /** A whole message arrived: text as a string, binary as bytes. */
  onMessage(data: string | Uint8Array | ArrayBuffer): void;
  /** The socket is gone, for whatever reason. Must be called once; later calls do nothing. */
  onClose(): void;
}
