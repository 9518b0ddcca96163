/**
 * JSON Schemas (draft 2020-12) of every message, generated from the zod schemas that check them.
 *
 * @module
 */
import { z } from "zod";
import { ERROR_CODES } from "../../src/errors.ts";
import { ACTION_NAMES, ACTIONS } from "../../src/protocol/actions.ts";
import { EVENTS, timeSchema, type WireEventType } from "../../src/protocol/events.ts";
import type { WireError } from "../../src/protocol/messages.ts";
import { MAX_REQUEST_ID_LENGTH } from "../../src/protocol/limits.ts";

/** The error of a response. */
export const wireErrorSchema: z.ZodType<WireError> = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  retryable: z.boolean(),
  details: z.record(z.string(), z.unknown()).exactOptional(),
});

/** A JSON Schema as it is written to a file. */
export type JsonSchema = Record<string, unknown>;

/** The drafts of JSON Schema that are written: AsyncAPI builds on the older one. */
export type Draft = "draft-2020-12" | "draft-7";

/**
 * All schemas by file name: for each action `<action>.request` and `<action>.response`, for each event
 * `<event>.event`, and the error `response`.
 */
export function protocolSchemas(target: Draft = "draft-2020-12"): Map<string, JsonSchema> {
  const schemas = new Map<string, JsonSchema>();
  const id = z.string().max(MAX_REQUEST_ID_LENGTH);
  for (const action of ACTION_NAMES) {
    const params: z.ZodType = ACTIONS[action].params;
    const optional = params.safeParse({}).success;
    const request = z.object({
      id,
      type: z.literal("request"),
      action: z.literal(action),
      params: optional ? params.exactOptional() : params,
    });
    schemas.set(
      `${action}.request`,
      toJson(request, "input", { target, title: `Request: ${action}` }),
    );
    const data: z.ZodType = ACTIONS[action].data;
    const response = z.object({ id, type: z.literal("response"), data });
    schemas.set(
      `${action}.response`,
      toJson(response, "output", { target, title: `Response: ${action}` }),
    );
  }
  for (const event of Object.keys(EVENTS) as WireEventType[]) {
    const data: z.ZodType = EVENTS[event].data;
    const message = z.object({
      type: z.literal("event"),
      event: z.literal(event),
      ...(EVENTS[event].seq ? { seq: z.int().nonnegative() } : {}),
      time: timeSchema,
      data,
    });
    schemas.set(`${event}.event`, toJson(message, "output", { target, title: `Event: ${event}` }));
  }
  const error = z.object({
    id: z.union([z.string(), z.number()]).nullable(),
    type: z.literal("response"),
    error: wireErrorSchema,
  });
  schemas.set("error.response", toJson(error, "output", { target, title: "Response: an error" }));
  return schemas;
}

/** Messages may carry fields that this version does not know, so no schema forbids them. */
export function toJson(
  schema: z.ZodType,
  io: "input" | "output",
  { target, title }: { target: Draft; title: string },
): JsonSchema {
  const json = z.toJSONSchema(schema, {
    io,
    target,
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  return { $schema: json.$schema, title, ...json };
}
