/**
 * Encodes `hello`, the first message on every connection: version, limits and capabilities of the server.
 *
 * @module
 */
import {
  SERVER_LIMIT_KEYS,
  SERVER_LIMITS,
  type ServerLimit,
  type ServerLimits,
} from "../../model/server_limits.ts";
import { MAX_PAGE_SIZE, MAX_SUBSCRIPTION_SERVICES } from "../../model/limits.ts";
import { encodeNotice } from "../../protocol/codec.ts";
import { PROTOCOL_VERSION } from "../../protocol/messages.ts";
import { SERVER_NAME, VERSION } from "../../version.ts";
import type { ActionBackends } from "../actions/action_handler.ts";
import { type Access, hasRight } from "../access/rights.ts";

/** Sources of `hello`. */
export interface HelloSources {
  /** The registry and the backends. */
  readonly backends: ActionBackends;
  /** The position of the events. */
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
    limits: shownLimits(limits),
    capabilities: capabilitiesOf(backends, access),
  });
}

/** The limits that a client can keep by itself, by their names on the wire. */
function shownLimits(limits: ServerLimits): Record<string, number> {
  const shown: Record<string, number> = {
    max_subscription_services: MAX_SUBSCRIPTION_SERVICES,
    max_page_size: MAX_PAGE_SIZE,
  };
  for (const key of SERVER_LIMIT_KEYS) {
    const { hello: name }: ServerLimit = SERVER_LIMITS[key];
    if (name !== undefined) shown[name] = limits[key];
  }
  return shown;
}

/** What a client may do beyond reading the registry. */
function capabilitiesOf(backends: ActionBackends, access: Access): string[] {
  const capabilities = hasRight(access, "registry") ? ["write"] : [];
  if (access === "anonymous") return capabilities;
  if (backends.deployments !== undefined) capabilities.push("deploy");
  if (backends.services !== undefined) capabilities.push("lifecycle");
  if (backends.packages !== undefined) capabilities.push("packages");
  return capabilities;
}
