/**
 * What serves open sockets: a connection for each, and what all of them share.
 *
 * @module
 */
import type { ActionBackends } from "./actions/action_handler.ts";
import type { Admission } from "./access/upgrade.ts";
import { Answers } from "./connection/answers.ts";
import { Connection, type ConnectionHost } from "./connection/client_connection.ts";
import { EventFanout } from "./connection/event_fanout.ts";
import { FloodGuard } from "./connection/flood_guard.ts";
import { InboxSpace } from "./connection/inbox.ts";
import type { ServerSocket } from "./connection/server_socket.ts";
import type { HandlerOptions, OpenClients, SharedParts } from "./gate.ts";
import { MIN_TURN_MESSAGES, TURN_MESSAGES_FACTOR } from "./limits.ts";
import { LogReads, LogStreams } from "./services/service_logs.ts";

/** All connections of a server. */
class Clients implements OpenClients {
  readonly #host: ConnectionHost;
  readonly #answers: Answers;
  readonly #fanout: EventFanout;
  readonly #logStreams: LogStreams | null;

  /** Starts listening to the registry. */
  constructor(options: HandlerOptions, shared: SharedParts) {
    const { registry, services, deployments, packages, vouched, audit } = options;
    const { limits, turns } = shared;
    this.#answers = new Answers(registry);
    this.#fanout = new EventFanout(registry, limits, turns);
    this.#logStreams = services === undefined ? null : new LogStreams(services);
    const logReads = services === undefined ? undefined : new LogReads(services);
    const backends: ActionBackends = {
      registry,
      answers: this.#answers,
      services,
      logReads,
      deployments,
      packages,
      vouched,
      audit,
    };
    const floods = new FloodGuard(turns, {
      max: Math.max(MIN_TURN_MESSAGES, TURN_MESSAGES_FACTOR * limits.maxRequestsPerSecond),
      maxOfOne: 2 * limits.maxInFlightRequests,
    });
    this.#host = {
      ...shared,
      get draining() {
        return shared.draining;
      },
      backends,
      fanout: this.#fanout,
      logStreams: this.#logStreams,
      inboxSpace: new InboxSpace(),
      floods,
    };
  }

  /** Serves a socket. */
  open(socket: ServerSocket, admission: Admission): Connection {
    return new Connection(this.#host, socket, admission);
  }

  /** Stops listening. */
  close(): void {
    this.#logStreams?.close();
    this.#fanout.close();
    this.#answers.close();
  }
}

/** Makes them. */
export function makeClients(options: HandlerOptions, shared: SharedParts): OpenClients {
  return new Clients(options, shared);
}
