/**
 * The shape of one action in the table of actions, and the schemas that several actions share.
 *
 * @module
 */
import { serviceIdSchema } from "../model/entry_schema.ts";
import { isServiceId } from "../model/service_id.ts";
import { z } from "zod";

/**
 * A right: `read` what is registered and recorded, change the `registry`, read `logs`, read the bytes of a
 * package (`content`), and `control`: make the server run something, or change its packages.
 */
export type Right = "read" | "registry" | "logs" | "content" | "control";

/** Params and data of an action. */
export interface ActionShape {
  /** What the client sends. */
  params: unknown;
  /** What a successful response carries. */
  data: unknown;
}

/** One action: who may run it, and the schemas of its params and data. */
export interface ActionDefinition<S extends ActionShape> {
  /** The right that it needs. */
  readonly right: Right;
  /** What is sent; unknown fields are dropped, never an error. */
  readonly params: z.ZodType<S["params"]>;
  /** The same for what is asked most, without the schema; `null` = ask the schema. */
  readonly quick?: (params: unknown) => S["params"] | null;
  /** What a successful response carries: docs/schema is generated from it and tests check servers with it. */
  readonly data: z.ZodType<S["data"]>;
}

/** A definition for each action of a map; a missing one does not compile. */
export type ActionTable<M> = {
  readonly [A in keyof M]: M[A] extends ActionShape ? ActionDefinition<M[A]> : never;
};

/** A count or a size. */
export const countSchema: z.ZodType<number> = z.int().nonnegative();
/** Ids or names in data. */
export const namesSchema: z.ZodType<string[]> = z.array(z.string());
/** No params. */
export const emptySchema: z.ZodType<Record<string, never>> = z.object({}) as z.ZodType<
  Record<string, never>
>;
/** Params of what is about one service. */
const nameOrIdSchema: z.ZodType<{ name: string }> = z.object({ name: serviceIdSchema });

/** The params of an action that is about one service. */
export const BY_NAME: Pick<
  ActionDefinition<{ params: { name: string }; data: unknown }>,
  "params" | "quick"
> = {
  params: nameOrIdSchema,
  quick(params) {
    const name = (params as { name?: unknown } | null)?.name;
    return isServiceId(name) ? { name } : null;
  },
};
