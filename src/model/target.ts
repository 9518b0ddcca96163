/**
 * Where something is deployed: this machine, or a host that is logged in to.
 *
 * @module
 */
import { z } from "zod";
import { MAX_HOSTS } from "./limits.ts";
import { absolutePathSchema, filePathSchema, hostSchema, userSchema } from "./service_schema.ts";

/** A host to deploy to. */
export interface TargetSpec {
  /** Host name or address. */
  host: string;
  /** Login name. @default {from ~/.ssh/config, else the server's user} */
  user?: string;
  /** SSH port. @default {from ~/.ssh/config, else 22} */
  port?: number;
  /** Private key file on the server's machine. */
  identity_file?: string;
  /** Where releases go on that host. @default {the server's --install-root} */
  install_root?: string;
  /** How to become root there. */
  become?: "sudo";
}

/** `"local"`, `"[user@]host[:port]"`, or a {@linkcode TargetSpec}. */
export type Target = string | TargetSpec;

/** Whether a text is a target whose parts keep the rules of its object form. */
function isTarget(text: string): boolean {
  if (text === "local") return true;
  const match = /^(?:([^@]+)@)?(\[[^\]]*\]|[^@:[\]]+)(?::([1-9]\d{0,4}))?$/.exec(text);
  if (match === null || Number(match[3] ?? 1) > 65535) return false;
  const [, user, host] = match;
  return hostSchema.safeParse(host).success &&
    (user === undefined || userSchema.safeParse(user).success);
}

/** Schema of a {@linkcode Target}. */
export const targetSchema: z.ZodType<Target> = z.union([
  z.string().max(512).refine(
    isTarget,
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
