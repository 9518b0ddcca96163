/**
 * The first frame on every connection: what the server is, and what it lets the client do.
 *
 * @module
 */
import { MAX_PAGE_SIZE, MAX_SUBSCRIPTION_SERVICES } from "../../model/limits.ts";
import { encodeNotice } from "../../protocol/codec.ts";
import { PROTOCOL_VERSION } from "../../protocol/messages.ts";
import { SERVER_NAME, VERSION } from "../../version.ts";
import { type ActionBackends, capabilitiesOf } from "../actions/actions.ts";
import type { Access } from "../access/rights.ts";
import type { ServerLimits } from "../server_limits.ts";

/** What `hello` tells of. */
export interface HelloSources {
  /** The registry and what there is besides. */
  readonly backends: ActionBackends;
  /** Where events are. */
  readonly fanout: { readonly seq: number };
  /** The limits in force. */
  readonly limits: ServerLimits;
}

/** The text of the `hello` for a client. */
export function helloText({ backends, fanout, limits }: HelloSources, access: Access): string {
  return encodeNotice("hello", {
    protocol: { version: PROTOCOL_VERSION, supported: [PROTOCOL_VERSION] },
    server: { name: SERVER_NAME, version: VERSION },
    epoch: backends.registry.epoch,
    seq: fanout.seq,
    limits: {
      max_message_bytes: limits.maxMessageBytes,
      max_message_depth: limits.maxMessageDepth,
      max_in_flight: limits.maxInFlightRequests,
      max_requests_per_second: limits.maxRequestsPerSecond,
      max_bad_messages: limits.maxBadMessages,
      max_subscriptions: limits.maxSubscriptions,
      max_subscription_services: MAX_SUBSCRIPTION_SERVICES,
      max_page_size: MAX_PAGE_SIZE,
      max_send_queue_bytes: limits.maxSendQueueBytes,
      max_package_bytes: limits.maxPackageBytes,
      bookmark_interval_ms: limits.bookmarkIntervalMs,
    },
    capabilities: capabilitiesOf(backends, access),
  });
}
