/**
 * Schemas of what may be registered and requested: rules for outside values that become names of units,
 * containers and hosts, or words of a command.
 *
 * They are stricter than those of stored entries (`entry_schema.ts`): an entry that an earlier version accepted
 * stays readable, and is refused only when it is registered or started again.
 *
 * @module
 */
import {
  addressSchema,
  eachExecution,
  serviceIdSchema,
  serviceNameSchema,
  ttlSchema,
} from "./entry_schema.ts";
import { cursorAfter, idOfCursor, MAX_ID_LENGTH } from "./service_id.ts";
import { z } from "zod";
import { MAX_DEPENDENCIES, MAX_ENDPOINTS, MAX_LABELS, MAX_TEXT_LENGTH } from "./limits.ts";
import {
  type CheckedServiceInput,
  type Endpoint,
  type EndpointInput,
  type Execution,
  type ExecutionInput,
  KNOWN_PROTOCOLS,
  type Location,
  type LocationInput,
  type ServiceInput,
} from "./service.ts";
import {
  COMMAND_RULE,
  isPlainAddress,
  LINE_RULE,
  MAX_ARGS,
  PROCESS_TEXT_RULE,
  PROSE_RULE,
  type TextRule,
  UNIT_NAME_RULE,
} from "./rules.ts";
import { HOST_RULE, USER_RULE } from "./target.ts";

const MAX_IMAGE_LENGTH = 512;

function rule(pattern: RegExp, message: string, maximum: number = MAX_TEXT_LENGTH) {
  return z.string().max(maximum).regex(pattern, message);
}

function ruled({ pattern, message, maximum }: TextRule, most: number = maximum) {
  return rule(pattern, message, most);
}

/** A name, key or id: what something is looked up by. */
export const lineSchema: z.ZodType<string, string> = lineOf(MAX_TEXT_LENGTH);

/** A name, key or id of at most `maximum` characters. */
export function lineOf(maximum: number): z.ZodType<string, string> {
  return ruled(LINE_RULE, maximum);
}

/** Text for people, of any number of lines, that nothing is looked up by: a reason, the value of a label. */
export const proseSchema: z.ZodType<string, string> = ruled(PROSE_RULE);

/** What a process is given as it is, such as an argument or the value of a variable. */
export function processTextOf(maximum: number): z.ZodType<string, string> {
  return ruled(PROCESS_TEXT_RULE, maximum);
}

/** A list in which each value stands once. */
export function distinct<T extends string>(list: z.ZodArray<z.ZodType<T, T>>): z.ZodType<T[], T[]> {
  return list.refine(
    (values) => new Set(values).size === values.length,
    "must not name anything twice",
  );
}

/** A version. */
export const versionSchema: z.ZodType<string, string> = lineSchema;

/** What {@linkcode HOST_RULE} says. */
export const hostSchema: z.ZodType<string, string> = rule(
  HOST_RULE.pattern,
  "must be a host name or an address: letters, digits and . _ -, not beginning with -",
  HOST_RULE.maximum,
);

/** What {@linkcode USER_RULE} says. */
export const userSchema: z.ZodType<string, string> = rule(
  USER_RULE.pattern,
  "must be a user name: letters, digits and . _ - @ + \\, not beginning with -",
  USER_RULE.maximum,
);

const unitNameSchema: z.ZodType<string, string> = ruled(UNIT_NAME_RULE);

/** A container image: a reference or an id. */
const imageSchema: z.ZodType<string, string> = rule(
  /^[A-Za-z0-9][A-Za-z0-9._/:@+-]*$/,
  "must be an image reference such as registry/name:tag, not beginning with -",
  MAX_IMAGE_LENGTH,
);

/** A container's name or id. */
const containerSchema: z.ZodType<string, string> = rule(
  /^[A-Za-z0-9][A-Za-z0-9_.-]*$/,
  "must be a container name: letters, digits and _ . -, beginning with a letter or digit",
  255,
);

/** A portable image: a name, or an absolute path. */
const portableImageSchema: z.ZodType<string, string> = rule(
  /^(?!.*(?:^|\/)\.\.(?:\/|$))(?:\/|[A-Za-z0-9_])[A-Za-z0-9_.+:@/-]*$/,
  "must be the name or the absolute path of an image, without .. in it",
  MAX_IMAGE_LENGTH,
);

const commandSchema: z.ZodType<string, string> = ruled(COMMAND_RULE);

/** An absolute path on a host. */
export const absolutePathSchema: z.ZodType<string, string> = rule(
  /^\/(?!(?:.*\/)?\.\.(?:\/|$))[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*(?<!\s)$/u,
  "must be an absolute path without .., control characters or a space at its end",
);

/** Path of a file that this server opens. */
export const filePathSchema: z.ZodType<string, string> = lineSchema;

/** Schema of an {@linkcode Execution} from outside. */
export const executionInputSchema: z.ZodType<Execution, ExecutionInput> = z.discriminatedUnion(
  "type",
  eachExecution({
    managed_process: z.object({
      type: z.literal("managed_process"),
      command: commandSchema,
      args: z.array(processTextOf(MAX_TEXT_LENGTH)).max(MAX_ARGS).default([]),
      pid: z.int().positive().nullable().default(null),
    }),
    docker_container: z.object({
      type: z.literal("docker_container"),
      image: imageSchema,
      container_id: containerSchema.nullable().default(null),
      name: containerSchema.nullable().default(null),
    }),
    systemd_service: z.object({ type: z.literal("systemd_service"), unit_name: unitNameSchema }),
    systemd_portable: z.object({
      type: z.literal("systemd_portable"),
      image_name: portableImageSchema,
      unit_name: unitNameSchema,
    }),
  }),
);

/** Schema of a {@linkcode Location} from outside. */
const locationInputSchema: z.ZodType<Location, LocationInput> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("local") }),
  z.object({
    type: z.literal("remote"),
    host: hostSchema,
    ssh_user: userSchema,
    ssh_port: z.int().min(1).max(65535).nullable().default(null),
  }),
]);

const plainAddressSchema = addressSchema.refine(
  isPlainAddress,
  "must not have zeros in front of a number",
);

const endpointInputSchema: z.ZodType<Endpoint, EndpointInput> = z.object({
  name: serviceNameSchema,
  address: plainAddressSchema,
  protocol: z.union([
    z.enum(KNOWN_PROTOCOLS),
    z.object({ custom: lineSchema }),
  ]),
  metadata: z.record(lineSchema, proseSchema).default({}),
});

/** Schema of a list of {@linkcode Endpoint}s from outside. */
export const endpointsInputSchema: z.ZodType<Endpoint[], EndpointInput[]> = z.array(
  endpointInputSchema,
)
  .max(MAX_ENDPOINTS)
  .refine(
    (list) => new Set(list.map((e) => e.name)).size === list.length,
    "must have distinct names within a service",
  );

/** Schema of `depends_on` from outside. */
export const dependsOnInputSchema: z.ZodType<string[], string[]> = distinct(
  z.array(serviceNameSchema).max(MAX_DEPENDENCIES),
);

/** Schema of `labels` from outside. */
export const labelsInputSchema: z.ZodType<Record<string, string>, Record<string, string>> = z
  .record(lineSchema, proseSchema)
  .refine(
    (labels) => Object.keys(labels).length <= MAX_LABELS,
    `must have at most ${MAX_LABELS} labels`,
  );

/** Schema of {@linkcode ServiceInput}. */
export const serviceInputSchema: z.ZodType<CheckedServiceInput, ServiceInput> = z.object({
  id: serviceIdSchema.exactOptional(),
  name: serviceNameSchema,
  version: versionSchema,
  execution: executionInputSchema,
  location: locationInputSchema.exactOptional(),
  endpoints: endpointsInputSchema.exactOptional(),
  depends_on: dependsOnInputSchema.exactOptional(),
  labels: labelsInputSchema.exactOptional(),
  ttl_ms: ttlSchema.exactOptional(),
});

/** Schema of the `next_cursor` of a page. */
export const cursorSchema: z.ZodType<string, string> = z.string().max(
  cursorAfter("").length + MAX_ID_LENGTH,
)
  .refine((cursor) => idOfCursor(cursor) !== null, "must be the next_cursor of a page");
