/**
 * The small interface between a connection and whatever carries it.
 *
 * A listener (`listeners/deno_serve.ts`, `listeners/node_ws.ts`, or yours) makes a
 * {@linkcode ServerSocket} of its runtime's socket, gives it to `ConnectionHandler.open()` and passes on
 * what arrives to the {@linkcode ConnectionEvents} it gets back. Nothing else in the server knows what a
 * socket is.
 *
 * @module
 */

/** What a connection needs of a socket. No method may throw; on a closed socket they do nothing. */
export interface ServerSocket {
  /** Queues a text frame. */
  send(text: string): void;
  /**
   * Starts the closing handshake. What was queued before may still be sent. With `atOnce` the peer does not
   * stop sending by itself: it must not be heard any more, whether or not it reads the reason.
   */
  close(code: number, reason: string, options?: { atOnce?: boolean }): void;
  /** Drops the connection now, without a handshake. Left out where the runtime cannot. */
  terminate?(): void;
  /** Bytes queued that the peer has not taken yet. */
  bufferedBytes(): number;
}

/** What a listener tells a connection. No method throws. */
export interface ConnectionEvents {
  /** A whole message arrived: text as a string, binary as bytes. */
  onMessage(data: string | Uint8Array | ArrayBuffer): void;
  /** The socket is gone, for whatever reason. Must be called once; later calls do nothing. */
  onClose(): void;
}
