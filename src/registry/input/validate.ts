/**
 * Checks of input, with errors that name the field.
 *
 * @module
 */
import {
  executionSchema,
  healthResultSchema,
  locationSchema,
  serviceStateSchema,
} from "../../model/entry_schema.ts";
import { z } from "zod";
import { HarnessError } from "../../errors.ts";
import type {
  CheckedServiceInput,
  CheckedServicePatch,
  ServiceInput,
  ServicePatch,
} from "../../model/service.ts";
import {
  dependsOnInputSchema,
  endpointsInputSchema,
  labelsInputSchema,
  serviceInputSchema,
  versionSchema,
} from "../../model/service_schema.ts";
import { MAX_TEXT_LENGTH } from "../../model/limits.ts";

/** Schema of {@linkcode ServicePatch}. */
const servicePatchSchema: z.ZodType<CheckedServicePatch, ServicePatch> = z.object({
  version: versionSchema.exactOptional(),
  // The stored rule: a patch has it from our own controllers, also of an entry of an earlier version.
  execution: executionSchema.exactOptional(),
  location: locationSchema.exactOptional(),
  endpoints: endpointsInputSchema.exactOptional(),
  labels: labelsInputSchema.exactOptional(),
  depends_on: dependsOnInputSchema.exactOptional(),
  state: serviceStateSchema.exactOptional(),
  state_reason: z.string().max(MAX_TEXT_LENGTH).nullable().exactOptional(),
  last_health_check: healthResultSchema.nullable().exactOptional(),
});

/** A checked copy of a registration. @throws {HarnessError} `invalid_params`. */
export function parseInput(input: ServiceInput): CheckedServiceInput {
  return parse(serviceInputSchema, input, "register a service");
}

/** A checked copy of a patch. @throws {HarnessError} `invalid_params`. */
export function parsePatch(id: string, patch: ServicePatch): CheckedServicePatch {
  return parse(servicePatchSchema, patch, `update "${id}"`);
}

/** What is wrong with a field where its schema has no message of its own; it follows the field's path. */
export function fieldProblem(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? "is missing" : `must be ${typeName(issue.expected)}`;
    case "invalid_value":
      return issue.values.length === 1
        ? `must be ${JSON.stringify(issue.values[0])}`
        : `must be one of ${issue.values.map(String).join(", ")}`;
    case "invalid_union":
      return Array.isArray(issue.options)
        ? `must be one of ${issue.options.join(", ")}`
        : "has a wrong value";
    case "too_small":
      if (issue.origin === "number" || issue.origin === "int") {
        return `must be ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}`;
      }
      return issue.minimum === 1
        ? "must not be empty"
        : `must have at least ${issue.minimum} items`;
    case "too_big":
      if (issue.origin === "number" || issue.origin === "int") {
        return `must be ${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}`;
      }
      return `must have at most ${issue.maximum} ${
        issue.origin === "string" ? "characters" : "items"
      }`;
    default:
      return "has a wrong value";
  }
}

/** A type as JSON has it. */
function typeName(expected: string): string {
  if (expected === "int") return "a whole number";
  return `of type ${expected === "record" ? "object" : expected}`;
}

/** A failed check of one field. */
export interface FieldIssue {
  /** Where it is. */
  path: PropertyKey[];
  /** The problem. */
  message: string;
}

/**
 * A problem as a sentence about the field: for a union that of its closest form, for a record key that of the
 * key's schema.
 */
export function explainIssue(issue: z.core.$ZodIssue): FieldIssue {
  const { path, message } = issue;
  if (issue.code === "invalid_key") return { path, message: issue.issues[0]?.message ?? message };
  if (issue.code !== "invalid_union") return { path, message };
  const forms = issue.errors.map((form) => form.map(explainIssue));
  const [inside] = forms.find((form) => form.every((one) => one.path.length > 0)) ?? [];
  if (inside !== undefined) return { path: [...path, ...inside.path], message: inside.message };
  const all = new Set(forms.flat().map((one) => one.message));
  return { path, message: all.size === 0 ? message : [...all].join(" or ") };
}

function parse<T>(schema: z.ZodType<T>, value: unknown, doing: string): T {
  const result = schema.safeParse(value, { error: fieldProblem });
  if (result.success) return result.data;
  const issues = result.error.issues.map(explainIssue).map(({ path, message }) => ({
    path: path.join("."),
    message,
  }));
  const first = issues[0];
  const where = first === undefined || first.path === "" ? "" : `${first.path} `;
  throw new HarnessError("invalid_params", `Cannot ${doing}: ${where}${first?.message}`, {
    details: { issues },
  });
}
