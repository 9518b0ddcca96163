/**
 * Encodes and decodes the messages of `harness.v1`.
 *
 * Used by the server and the client. Reading is defensive: size, nesting and key names are checked
 * before the content, and the readable parts of a bad request (above all its id) are used for the response.
 *
 * @module
 */
import { HarnessError, isErrorCode } from "../errors.ts";
import { entryText } from "../registry/entry_text.ts";
import type { RegistryEvent } from "../model/event.ts";
import { MAX_MESSAGE_DEPTH } from "../model/limits.ts";
import { MAX_REQUEST_ID_LENGTH } from "./limits.ts";
import type { EventMessage, ResponseMessage, ServerMessage, WireEventMap } from "./messages.ts";
import { salvageId } from "./id_recovery.ts";
import { isObject } from "../util/json.ts";

/** The id of a response: a number only echoes a request that wrongly used one; `null` = unreadable. */
export type ResponseId = string | number | null;

/** Result of {@linkcode parseRequest}. */
export type ParsedRequest =
  | { ok: true; id: string; action: string; params: unknown }
  | { ok: false; id: ResponseId; error: HarnessError };

/** Options for {@linkcode parseRequest}. */
export interface ParseRequestOptions {
  /** Deepest nesting accepted. @default {MAX_MESSAGE_DEPTH} */
  maxDepth?: number;
}

/** Keys that never carry data here and are the usual way to poison a prototype. */
const RESERVED_KEYS: readonly string[] = ["__proto__", "constructor"];

/**
 * A request as clients write it that names one service or nothing, and holds nothing that JSON escapes: read four times
 * as fast as by the parser. Whatever it does not match is parsed.
 */
const PLAIN_REQUEST =
  // deno-lint-ignore no-control-regex
  /^\{"id":"([^"\\\x00-\x1f]*)","type":"request","action":"([a-z_]*)"(?:,"params":\{(?:"name":"([^"\\\x00-\x1f]*)")?\})?\}$/;

/**
 * Reads a request frame. Never throws: for a bad one it returns the error to respond with.
 *
 * @param text The text frame, whose size the caller has bounded.
 */
export function parseRequest(text: string, options: ParseRequestOptions = {}): ParsedRequest {
  const plain = PLAIN_REQUEST.exec(text);
  if (plain !== null && (options.maxDepth ?? MAX_MESSAGE_DEPTH) >= 2) {
    const [, id = "", action = "", name] = plain;
    if (id.length <= MAX_REQUEST_ID_LENGTH) {
      return { ok: true, id, action, params: name === undefined ? {} : { name } };
    }
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : "not JSON";
    return {
      ok: false,
      id: salvageId(text),
      error: new HarnessError("parse_error", `Cannot parse the message: ${why.slice(0, 200)}`),
    };
  }
  if (!isObject(value)) {
    return refuse(null, "Cannot read the message: it must be a JSON object");
  }
  const problem = structureProblem(value, text, options.maxDepth ?? MAX_MESSAGE_DEPTH);
  return readRequest(value, problem);
}

/** The envelope of a request, checked field by field so that the id is known as early as possible. */
function readRequest(value: Record<string, unknown>, problem: string | null): ParsedRequest {
  const rawId = Object.hasOwn(value, "id") ? value["id"] : undefined;
  const id = typeof rawId === "string" || Number.isFinite(rawId) ? rawId as string | number : null;
  if (problem !== null) return refuse(id, `Cannot accept the message: ${problem}`);
  if (typeof id !== "string" || id.length > MAX_REQUEST_ID_LENGTH) {
    return refuse(
      id,
      `Cannot accept the request: "id" must be a string of at most ${MAX_REQUEST_ID_LENGTH} characters`,
    );
  }
  if (value["type"] !== "request") {
    return refuse(id, `Cannot accept the message: "type" must be "request"`);
  }
  const action = value["action"];
  if (typeof action !== "string") {
    return refuse(id, `Cannot accept the request: "action" must be a string`);
  }
  return { ok: true, id, action, params: value["params"] ?? {} };
}

function refuse(id: ResponseId, message: string): ParsedRequest {
  return { ok: false, id, error: new HarnessError("invalid_request", message) };
}

/** What is wrong with the shape of a parsed message, or `null`: nesting and key names only. */
function structureProblem(root: object, text: string, maxDepth: number): string | null {
  // The keys can only be there when the text has the word or hides it behind an escape.
  const suspicious = text.includes("\\") || RESERVED_KEYS.some((key) => text.includes(key));
  nodes.push(root);
  depths.push(1);
  let problem: string | null = null;
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    const depth = depths.pop() ?? 1;
    if (problem !== null) continue;
    if (depth > maxDepth) problem = `it is nested deeper than ${maxDepth} levels`;
    else if (Array.isArray(node)) { for (const child of node) visit(child, depth + 1); }
    else {
      const key = suspicious ? RESERVED_KEYS.find((one) => Object.hasOwn(node, one)) : undefined;
      if (key !== undefined) problem = `the key "${key}" is not allowed`;
      for (const name in node) visit((node as Record<string, unknown>)[name], depth + 1);
    }
  }
  return problem;
}

/** What {@linkcode structureProblem} has still to look at, and how deep that is; empty between its calls. */
const nodes: object[] = [];
const depths: number[] = [];

function visit(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  nodes.push(value);
  depths.push(depth);
}

/** The text of a successful response around data that is JSON text already. */
export function encodeDataText(id: string, data: string): string {
  return `{"id":${JSON.stringify(id)},"type":"response","data":${data}}`;
}

/** The text of a failed response. `internal` carries a generic sentence and no details. */
export function encodeError(id: ResponseId, error: HarnessError): string {
  const wire = {
    code: error.code,
    message: error.code === "internal"
      ? "Internal error: the server's log has the detail"
      : error.message,
    retryable: error.retryable,
    ...(error.details === undefined || error.code === "internal" ? {} : { details: error.details }),
  };
  return JSON.stringify({ id, type: "response", error: wire });
}

/** The text of an event of the registry. */
export function encodeEvent(event: RegistryEvent): string {
  return `{"type":"event","event":"${event.event}","seq":${event.seq},"time":"${event.time}",` +
    `"data":${dataText(event)}}`;
}

/** The data of an event; that of an entry is not encoded anew where its text is known. */
function dataText({ data }: RegistryEvent): string {
  if (!("entry" in data) || !Object.isFrozen(data.entry)) return JSON.stringify(data);
  const { service, id, entry } = data;
  return `{"service":${JSON.stringify(service)},"id":${JSON.stringify(id)},"entry":${
    entryText(entry)
  }}`;
}

/** Options for {@linkcode encodeNotice}. */
export interface EncodeNoticeOptions {
  /** The seq of `bookmark` and `registry_loaded`. */
  seq?: number;
  /** When, RFC 3339 UTC. @default {now} */
  time?: string;
}

/** The text of an event that is not one of the registry's: `hello`, `bookmark`, `service_log`, … */
export function encodeNotice<E extends keyof WireEventMap>(
  event: E,
  data: WireEventMap[E],
  options: EncodeNoticeOptions = {},
): string {
  const { seq, time = new Date().toISOString() } = options;
  return JSON.stringify({
    type: "event",
    event,
    ...(seq === undefined ? {} : { seq }),
    time,
    data,
  });
}

/** The text of a request, for clients. */
export function encodeRequest(id: string, action: string, params?: unknown): string {
  return JSON.stringify({
    id,
    type: "request",
    action,
    ...(params === undefined ? {} : { params }),
  });
}

/**
 * Reads a frame from a server, for clients. Unknown events are passed on: a newer server may send some.
 *
 * @throws {HarnessError} `parse_error` or `invalid_request` for what is no message of `harness.v1`.
 */
export function parseServerMessage(text: string): ServerMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new HarnessError("parse_error", "Cannot parse the server's message: it is not JSON", {
      cause: error,
    });
  }
  if (isObject(value)) {
    if (value["type"] === "response" && isResponse(value)) {
      return value as unknown as ResponseMessage;
    }
    if (
      value["type"] === "event" && typeof value["event"] === "string" && isObject(value["data"])
    ) {
      return value as unknown as EventMessage;
    }
  }
  throw new HarnessError(
    "invalid_request",
    "Cannot read the server's message: it is no response and no event",
  );
}

function isResponse(value: Record<string, unknown>): boolean {
  if (value["id"] !== null && !["string", "number"].includes(typeof value["id"])) return false;
  if (Object.hasOwn(value, "data")) return true;
  const error = value["error"];
  return isObject(error) && isErrorCode(error["code"]) && typeof error["message"] === "string";
}
