/**
 * WebSocket and fetch that trust a certificate authority of the user's, on each runtime.
 *
 * @module
 */
import { request } from "node:https";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { createSecureContext, rootCertificates } from "node:tls";
import type { WebSocketConstructor } from "../../client/mod.ts";
import { runtimeName } from "../../util/node/runtime.ts";

/** How a client command connects. */
export interface Transport {
  /** For the protocol. */
  readonly webSocket: WebSocketConstructor;
  /** For packages, and to find out why a handshake was refused. */
  readonly fetch: typeof fetch;
}

/**
 * Connects with what trusts the authorities in `pem` besides those that the runtime trusts.
 *
 * @throws {Error} When it is no certificate.
 */
export async function trusting(pem: string): Promise<Transport> {
  // Without a certificate in the file Deno would silently trust only the system's.
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw new Error("it has no certificate");
  createSecureContext({ ca: pem });
  switch (runtimeName()) {
    case "deno":
      return onDeno(pem);
    case "bun":
      return onBun([...rootCertificates, pem]);
    case "node":
      return await onNode([...rootCertificates, pem]);
  }
}

function onDeno(pem: string): Transport {
  const client = Deno.createHttpClient({ caCerts: [pem] });
  return {
    webSocket: class extends WebSocket {
      constructor(url: string, protocols: string[] = []) {
        super(url, { protocols, client });
      }
    },
    fetch: (input, init) => fetch(input, { ...init, client }),
  };
}

/** Bun takes the settings of TLS in both. */
function onBun(ca: readonly string[]): Transport {
  const tls = { ca };
  return {
    webSocket: class extends WebSocket {
      constructor(url: string, protocols: string[] = []) {
        super(url, { protocols, tls } as WebSocketOptions);
      }
    },
    fetch: (input, init) => fetch(input, Object.assign({ tls }, init)),
  };
}

/** Node takes them in neither. */
async function onNode(ca: readonly string[]): Promise<Transport> {
  const { WebSocket: WsWebSocket } = await import("ws");
  return {
    webSocket: class extends WsWebSocket {
      constructor(url: string, protocols: string[] = [], options: object = {}) {
        super(url, protocols, { ...options, ca: [...ca] });
      }
    } as unknown as WebSocketConstructor,
    fetch: (input, init) => httpsFetch(new Request(input, withDuplex(init)), [...ca]),
  };
}

/** The standard wants it for a stream that is sent. */
function withDuplex(init: RequestInit | undefined): RequestInit {
  return init?.body instanceof ReadableStream
    ? { ...init, duplex: "half" } as RequestInit
    : { ...init };
}

/** One request, without following redirects. */
function httpsFetch(asked: Request, ca: string[]): Promise<Response> {
  return new Promise((resolve, reject) => {
    const { method, signal } = asked;
    const headers = Object.fromEntries(asked.headers);
    const sent = request(asked.url, { method, headers, signal, ca }, (answer) => {
      const { statusCode: status = 502, headers } = answer;
      const hasBody = method !== "HEAD" && ![204, 304].includes(status);
      if (!hasBody) answer.resume();
      const body = hasBody ? Readable.toWeb(answer) as unknown as ReadableStream : null;
      const fields = Object.entries(headers).map(([name, value]) => [name, String(value)] as const);
      resolve(
        new Response(body, { status, headers: new Headers([...fields] as [string, string][]) }),
      );
    });
    sent.on("error", reject);
    if (asked.body === null) sent.end();
    // What is not sent any more because the answer came first is no error.
    else {Readable.fromWeb(asked.body as unknown as NodeReadableStream).on("error", reject).pipe(
        sent,
      );}
  });
}
