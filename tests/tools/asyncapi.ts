/**
 * The protocol as an AsyncAPI 3 document, from the schemas that check the messages.
 *
 * @module
 */
import type { z } from "zod";
import {
  endpointSchema,
  executionSchema,
  serviceEntrySchema,
} from "../../src/model/entry_schema.ts";
import { executionInputSchema, serviceInputSchema } from "../../src/model/service_schema.ts";
import { type Action, ACTION_NAMES, ACTIONS } from "../../src/protocol/actions.ts";
import { EVENTS, type WireEventType } from "../../src/protocol/events.ts";
import { CLOSE_CODES, SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX } from "../../src/protocol/messages.ts";
import { VERSION } from "../../src/version.ts";
import { EXAMPLES } from "./asyncapi_examples.ts";
import { type JsonSchema, protocolSchemas, toJson } from "./protocol_schemas.ts";

/** What each close code means, for clients. */
const CLOSE_TEXTS: Record<keyof typeof CLOSE_CODES, string> = {
  shutdown: "The server shuts down, or got no pong: reconnect and resume.",
  too_big: "A message was over `max_message_bytes`: reconnect, do not send it again.",
  bad_messages: "Too many malformed messages in a row: fix the client.",
  unauthorized:
    "The token was revoked, has expired or its rights changed: reconnect to learn which.",
  slow_consumer: "The client did not read fast enough: reconnect and resume.",
  rate_limited: "Too many requests: reconnect after a pause.",
};

/** What each action is for. */
const SUMMARIES: Partial<Record<Action, string>> = {
  list_services: "The services that match, in pages where asked for.",
  get_service: "One service.",
  register_service: "Registers a service.",
  update_service: "Changes what is given.",
  deregister_service: "Removes a service from the registry.",
  heartbeat: "Renews the lease of a service registered with `ttl_ms`.",
  service_action: "Starts, stops, restarts or reloads a service; answers when it was done.",
  list_endpoints: "All endpoints by instance id.",
  resolve_endpoint: "The endpoints at which a service can be reached now.",
  get_dependencies: "The dependency graph around a service.",
  service_logs: "The last log lines of a service.",
  deploy_package: "Starts a deployment and answers at once; the rest comes as events.",
  get_deployment: "One deployment.",
  list_deployments: "Deployments, newest first.",
  cancel_deployment: "Cancels a deployment.",
  rollback_service: "Brings back the last good version, or the given one.",
  resume_deployment: "Goes on with an ended deployment on the hosts where it did not end well.",
  list_packages: "The packages the server holds.",
  subscribe: "Subscribes to events: from now on, from a position, or with a snapshot.",
  unsubscribe: "Ends subscriptions.",
};

/** Schemas that occur in many messages. */
const SHARED: Record<string, [z.ZodType, "input" | "output"]> = {
  ServiceEntry: [serviceEntrySchema, "output"],
  ServiceInput: [serviceInputSchema, "input"],
  ExecutionInput: [executionInputSchema, "input"],
  Execution: [executionSchema, "output"],
  Endpoint: [endpointSchema, "output"],
  Deployment: [ACTIONS.get_deployment.data, "output"],
};

const CHANNEL = { $ref: "#/channels/root" };

/** The document. */
export function asyncApi(): JsonSchema {
  const schemas = sharedSchemas();
  const messages: Record<string, JsonSchema> = {};
  for (const [name, schema] of protocolSchemas("draft-7")) {
    messages[messageName(name)] = message(name, hoist(bare(schema), schemas));
  }
  return {
    asyncapi: "3.0.0",
    info: info(),
    defaultContentType: "application/json",
    servers: servers(),
    channels: {
      root: {
        address: "/",
        title: SUBPROTOCOL,
        description: channelDescription(),
        messages: refs("#/components/messages", Object.keys(messages)),
        bindings: { ws: { method: "GET", headers: handshakeHeaders(), bindingVersion: "0.1.0" } },
        "x-close-codes": Object.fromEntries(
          Object.entries(CLOSE_CODES).map(([name, code]) => [
            String(code),
            { name, description: CLOSE_TEXTS[name as keyof typeof CLOSE_CODES] },
          ]),
        ),
      },
    },
    operations: operations(),
    components: {
      schemas: Object.fromEntries(
        [...schemas].map(([name, schema]) => [name, hoist(schema, schemas, name)]),
      ),
      messages,
      correlationIds: {
        id: {
          description: "The response has the id of its request.",
          location: "$message.payload#/id",
        },
      },
      securitySchemes: securitySchemes(),
    },
  };
}

function info(): JsonSchema {
  return {
    title: "harness-ws-server",
    version: VERSION,
    description:
      "A registry of services, their deployments and their lifecycle over one WebSocket. docs/protocol.md is the specification in words.",
    license: { name: "MIT" },
  };
}

function servers(): JsonSchema {
  const security = refs("#/components/securitySchemes", Object.keys(securitySchemes()));
  const one = (protocol: string, description: string) => ({
    host: "{host}:{port}",
    pathname: "/",
    protocol,
    protocolVersion: "13",
    description,
    variables: { host: { default: "127.0.0.1" }, port: { default: "8080" } },
    security: Object.values(security),
  });
  return {
    plain: one("ws", "Without TLS: on the machine itself, or behind a proxy that has it."),
    secure: one("wss", "With `--tls-cert` and `--tls-key`."),
  };
}

function securitySchemes(): Record<string, JsonSchema> {
  return {
    bearer: {
      type: "http",
      scheme: "bearer",
      description:
        "`Authorization: Bearer <token>` of the handshake. Clients on loopback may read and keep a registry whose server made its token itself without one.",
    },
    subprotocol: {
      type: "httpApiKey",
      name: "Sec-WebSocket-Protocol",
      in: "header",
      description:
        `For browsers, which cannot set headers: offer \`${SUBPROTOCOL}\` and \`${TOKEN_SUBPROTOCOL_PREFIX}<base64url of the token>\`. The second is never confirmed.`,
    },
  };
}

function handshakeHeaders(): JsonSchema {
  return {
    type: "object",
    properties: {
      "Sec-WebSocket-Protocol": {
        type: "string",
        description: `\`${SUBPROTOCOL}\`; none means version 1.`,
        examples: [SUBPROTOCOL, `${SUBPROTOCOL}, ${TOKEN_SUBPROTOCOL_PREFIX}czNjcjN0`],
      },
      Authorization: { type: "string", examples: ["Bearer s3cr3t-token-of-the-ops-team"] },
    },
  };
}

function channelDescription(): string {
  const codes = Object.entries(CLOSE_CODES).map(([name, code]) =>
    `- ${code}: ${CLOSE_TEXTS[name as keyof typeof CLOSE_CODES]}`
  );
  return [
    "One JSON object in each text frame. The server's first is the event `hello`. Requests run concurrently, and responses may come out of order: match them by `id`.",
    'A refused handshake is an HTTP response with `{"error":{…}}`: 400, 401, 403, 404, 426, 429 or 503.',
    `Close codes of the server:\n\n${codes.join("\n")}`,
  ].join("\n\n");
}

/** Operations of the server, whose document this is: it receives requests and sends events. */
function operations(): JsonSchema {
  const all: Record<string, JsonSchema> = {};
  for (const action of ACTION_NAMES) {
    const replies = [`${action}.response`, "error.response"].map(messageName);
    all[action] = {
      action: "receive",
      channel: CHANNEL,
      ...summary(SUMMARIES[action]),
      tags: [{ name: ACTIONS[action].right }],
      messages: [inChannel(messageName(`${action}.request`))],
      reply: { channel: CHANNEL, messages: replies.map(inChannel) },
    };
  }
  for (const event of Object.keys(EVENTS) as WireEventType[]) {
    all[`on_${event}`] = {
      action: "send",
      channel: CHANNEL,
      summary: `The event \`${event}\`${EVENTS[event].seq ? ", with its position" : ""}.`,
      messages: [inChannel(messageName(`${event}.event`))],
    };
  }
  return all;
}

function summary(text: string | undefined): JsonSchema {
  return text === undefined ? {} : { summary: text };
}

function message(name: string, payload: JsonSchema): JsonSchema {
  const examples = EXAMPLES[name];
  return {
    name,
    title: String(payload["title"]),
    contentType: "application/json",
    ...(name.endsWith(".event")
      ? {}
      : { correlationId: { $ref: "#/components/correlationIds/id" } }),
    payload,
    ...(examples === undefined ? {} : { examples: examples.map((payload) => ({ payload })) }),
  };
}

/** `list_services.request` as a name of a component. */
function messageName(name: string): string {
  return name.replace(".", "_");
}

function inChannel(name: string): JsonSchema {
  return { $ref: `#/channels/root/messages/${name}` };
}

function refs(at: string, names: readonly string[]): JsonSchema {
  return Object.fromEntries(names.map((name) => [name, { $ref: `${at}/${name}` }]));
}

function sharedSchemas(): Map<string, JsonSchema> {
  return new Map(
    Object.entries(SHARED).map(([title, [schema, io]]) =>
      [title, bare(toJson(schema, io, { target: "draft-7", title }))] as const
    ),
  );
}

function bare({ $schema: _, ...schema }: JsonSchema): JsonSchema {
  return schema;
}

/** A schema in which the shared ones are references. `within` is the name of the one that it is itself. */
function hoist(schema: JsonSchema, shared: Map<string, JsonSchema>, within?: string): JsonSchema {
  const names = new Map(
    [...shared].filter(([name]) => name !== within).map((
      [name, { title: _, ...rest }],
    ) => [JSON.stringify(rest), name]),
  );
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    const name = names.get(JSON.stringify(value));
    if (name !== undefined) return { $ref: `#/components/schemas/${name}` };
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]));
  };
  return walk(schema) as JsonSchema;
}
