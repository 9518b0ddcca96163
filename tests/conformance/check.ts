/** What a check is, and what it may use: an address, a token, and a raw WebSocket. */
import assert from "node:assert/strict";
import { ERROR_CODES } from "../../src/errors.ts";
import { type Frame, RawClient, type RawClientOptions } from "../helpers/raw_client.ts";

export type { Frame, RawClient };

/** One rule of docs/protocol.md and how it is checked. */
export interface Check {
  /** The rule, as a sentence. */
  name: string;
  /** Throws when the server breaks the rule. */
  run(server: ServerUnderTest): Promise<void>;
  /** Without which the check makes no sense: a capability, or a server that wants a token. */
  needs?: "write" | "token";
}

/** Where the server is and how to get in. */
export interface Address {
  /** `ws://` or `wss://` address. */
  url: string;
  /** Token, where the server wants one. */
  token?: string;
  /** How long a wait may take before a check fails. @default {60000} */
  deadlineMs?: number;
}

/** A service that the checks registered and will remove. */
type ServiceInput = Record<string, unknown> & { name: string };

/** The server from outside. */
export class ServerUnderTest implements AsyncDisposable {
  /** WebSocket address. */
  readonly url: string;
  /** Token, where the server wants one. */
  readonly token: string | undefined;
  /** Hello of the first connection. */
  readonly hello: Frame;
  readonly #deadline: RawClientOptions;
  readonly #prefix = `conformance-${crypto.randomUUID().slice(0, 8)}`;
  readonly #registered = new Set<string>();
  #clients: RawClient[] = [];
  #counter = 0;

  private constructor(address: Address, hello: Frame) {
    this.url = address.url;
    this.token = address.token;
    this.#deadline = address.deadlineMs === undefined ? {} : { deadlineMs: address.deadlineMs };
    this.hello = hello;
  }

  /** Opens one connection to learn what the server says of itself. */
  static async find(address: Address): Promise<ServerUnderTest> {
    await using client = await RawClient.connect(address.url, authorized(address.token));
    const frame = await client.next();
    return new ServerUnderTest(address, frame["data"] ?? {});
  }

  /** The same server over HTTP. */
  get http(): string {
    return this.url.replace(/^ws/, "http").replace(/\/$/, "");
  }

  /** A limit that the server announced. */
  limit(name: string): number {
    const value = this.hello["limits"]?.[name];
    assert.equal(typeof value, "number", `hello.limits.${name}`);
    return value;
  }

  /** A new connection, its hello still in the queue. */
  async connect(options: RawClientOptions = {}): Promise<RawClient> {
    const client = await RawClient.connect(this.url, {
      ...authorized(this.token),
      ...this.#deadline,
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  /** A new connection whose hello was read. */
  async open(): Promise<RawClient> {
    const client = await this.connect();
    assert.equal((await client.next())["event"], "hello");
    return client;
  }

  /** A service name that nobody else uses. */
  name(label = "s"): string {
    return `${this.#prefix}-${label}-${++this.#counter}`;
  }

  /** A small valid service under a fresh name. */
  service(more: Record<string, unknown> = {}): ServiceInput {
    return {
      name: this.name(),
      version: "1.0.0",
      execution: { type: "systemd_service", unit_name: "conformance.service" },
      ...more,
    };
  }

  /** Registers a service, to be removed after the check. */
  async register(client: RawClient, more: Record<string, unknown> = {}): Promise<Frame> {
    const entry = await client.call("register_service", { service: this.service(more) });
    this.#registered.add(entry["id"]);
    return entry;
  }

  /** Ends what the last check left open. */
  async cleanUp(): Promise<void> {
    const clients = this.#clients.splice(0);
    await Promise.all(clients.map((client) => client.close()));
    if (this.#registered.size === 0) return;
    await using client = await RawClient.ready(this.url, authorized(this.token));
    for (const name of this.#registered) await client.request("deregister_service", { name });
    this.#registered.clear();
  }

  /** The same. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.cleanUp();
  }
}

/** The token as a header. */
export function authorized(token: string | undefined): RawClientOptions {
  return token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } };
}

/** Checks the shape of an error response and its code. */
export function assertError(response: Frame, code: string): Frame {
  assert.equal(response["type"], "response");
  assert(!("data" in response), "a response has either data or error");
  const error = response["error"];
  assert(ERROR_CODES.includes(error?.code), `unknown code ${error?.code}`);
  assert.equal(error.code, code, error.message);
  assert.equal(typeof error.message, "string");
  assert(error.message.length > 0, "the message says something");
  assert.equal(typeof error.retryable, "boolean");
  assert(error.details === undefined || isObject(error.details), "details is an object");
  return error;
}

/** A time as the protocol writes it. */
export function assertTime(value: unknown): void {
  assert.equal(typeof value, "string");
  assert.match(value as string, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
}

/** Whether a value is a plain JSON object. */
export function isObject(value: unknown): value is Frame {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Sends requests without waiting in between, then takes all their responses. */
export async function callAll(
  client: RawClient,
  action: string,
  params: readonly Frame[],
): Promise<void> {
  const ids = params.map((one) => client.ask(action, one));
  for (const id of ids) {
    const response = await client.take((frame) => frame["id"] === id, action);
    assert("data" in response, `${action}: ${JSON.stringify(response)}`);
  }
}

/** A request frame as text. */
export function requestText(id: unknown, action: string, params: unknown = {}): string {
  return JSON.stringify({ id, type: "request", action, params });
}
