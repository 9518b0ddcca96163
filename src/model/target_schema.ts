/**
 * Schemas of the targets of a request.
 *
 * @module
 */
import { z } from "zod";
import { MAX_HOSTS } from "./limits.ts";
import { absolutePathSchema, filePathSchema, hostSchema, userSchema } from "./service_schema.ts";
import { readTarget, type Target } from "./target.ts";

/** Schema of a {@linkcode Target}. */
export const targetSchema: z.ZodType<Target> = z.union([
  z.string().max(512).refine(
    (text) => readTarget(text) !== null,
    "must be local or [user@]host[:port], an IPv6 address in brackets",
  ),
  z.object({
    host: hostSchema,
    user: userSchema.exactOptional(),
    port: z.int().min(1).max(65535).exactOptional(),
    identity_file: filePathSchema.exactOptional(),
    install_root: absolutePathSchema.exactOptional(),
    become: z.literal("sudo").exactOptional(),
  }),
]);

/** Schema of the targets of one request. */
export const targetsSchema: z.ZodType<Target[]> = z.array(targetSchema).min(1).max(MAX_HOSTS);
