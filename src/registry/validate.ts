/**
 * Checks of what callers give, with errors that name the field.
 *
 * @module
 */
import { z } from "zod";
import { HarnessError } from "../errors.ts";
import {
  dependsOnSchema,
  endpointsSchema,
  executionSchema,
  healthResultSchema,
  labelsSchema,
  locationSchema,
  type ServiceInput,
  serviceInputSchema,
  type ServicePatch,
  serviceStateSchema,
} from "./entry.ts";
import { MAX_TEXT_LENGTH } from "../limits.ts";

/** Schema of {@linkcode ServicePatch}. */
export const servicePatchSchema: z.ZodType<ServicePatch> = z.object({
  version: z.string().min(1).max(MAX_TEXT_LENGTH).exactOptional(),
  execution: executionSchema.exactOptional(),
  location: locationSchema.exactOptional(),
  endpoints: endpointsSchema.exactOptional(),
  labels: labelsSchema.exactOptional(),
  depends_on: dependsOnSchema.exactOptional(),
  state: serviceStateSchema.exactOptional(),
  state_reason: z.string().max(MAX_TEXT_LENGTH).nullable().exactOptional(),
  last_health_check: healthResultSchema.nullable().exactOptional(),
});

/** A checked copy of what is to be registered. @throws {HarnessError} `invalid_params`. */
export function parseInput(input: ServiceInput): ServiceInput {
  return parse(serviceInputSchema, input, "register a service");
}

/** A checked copy of a patch. @throws {HarnessError} `invalid_params`. */
export function parsePatch(id: string, patch: ServicePatch): ServicePatch {
  return parse(servicePatchSchema, patch, `update "${id}"`);
}

function parse<T>(schema: z.ZodType<T>, value: unknown, doing: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => ({
    path: path.join("."),
    message,
  }));
  const first = issues[0];
  const where = first === undefined || first.path === "" ? "" : `${first.path}: `;
  throw new HarnessError("invalid_params", `Cannot ${doing}: ${where}${first?.message}`, {
    details: { issues },
  });
}
