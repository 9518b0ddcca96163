/**
 * JSON Schemas (draft 2020-12) of every message, generated from the zod schemas that check them.
 *
 * @module
 */
import { z } from "zod";
import { ACTION_PARAMS, ACTIONS } from "./actions.ts";
import { ACTION_DATA } from "./data_schemas.ts";
import { EVENT_DATA, EVENT_HAS_SEQ, timeSchema, wireErrorSchema } from "./event_schemas.ts";
import type { WireEventType } from "./messages.ts";
import { MAX_REQUEST_ID_LENGTH } from "./limits.ts";

/** A JSON Schema as it is written to a file. */
export type JsonSchema = Record<string, unknown>;

/**
 * All schemas by file name: for each action `<action>.request` and `<action>.response`, for each event
 * `<event>.event`, and the error `response`.
 */
export function protocolSchemas(): Map<string, JsonSchema> {
  const schemas = new Map<string, JsonSchema>();
  const id = z.string().max(MAX_REQUEST_ID_LENGTH);
  for (const action of ACTIONS) {
    const params: z.ZodType = ACTION_PARAMS[action];
    const optional = params.safeParse({}).success;
    const request = z.object({
      id,
      type: z.literal("request"),
      action: z.literal(action),
      params: optional ? params.exactOptional() : params,
    });
    schemas.set(`${action}.request`, toJson(request, "input", `Request: ${action}`));
    const data: z.ZodType = ACTION_DATA[action];
    const response = z.object({ id, type: z.literal("response"), data });
    schemas.set(`${action}.response`, toJson(response, "output", `Response: ${action}`));
  }
  for (const event of Object.keys(EVENT_DATA) as WireEventType[]) {
    const data: z.ZodType = EVENT_DATA[event];
    const message = z.object({
      type: z.literal("event"),
      event: z.literal(event),
      ...(EVENT_HAS_SEQ[event] ? { seq: z.int().nonnegative() } : {}),
      time: timeSchema,
      data,
    });
    schemas.set(`${event}.event`, toJson(message, "output", `Event: ${event}`));
  }
  const error = z.object({
    id: z.union([z.string(), z.number()]).nullable(),
    type: z.literal("response"),
    error: wireErrorSchema,
  });
  schemas.set("error.response", toJson(error, "output", "Response: an error"));
  return schemas;
}

/** Messages may carry fields that this version does not know, so no schema forbids them. */
function toJson(schema: z.ZodType, io: "input" | "output", title: string): JsonSchema {
  const json = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  return { $schema: json.$schema, title, ...json };
}
