/**
 * `token new`: makes a named token, and the line of the tokens file for it.
 *
 * @module
 */
import type { Command } from "../command_line/command.ts";
import { randomBytes } from "node:crypto";
import { HarnessError } from "../../errors.ts";
import { addHandler, type Context, type Io } from "../context.ts";
import {
  addFlags,
  booleanFlag,
  choiceFlag,
  type FlagTable,
  type FlagValues,
  listFlag,
  readFlags,
  valueFlag,
} from "../flags/flags.ts";
import { TOKEN_RIGHTS } from "../../server/access/rights.ts";
import { printJson, printText } from "../output/table.ts";
import { nameProblem, parseTime, serviceProblem } from "../server_process/tokens_file.ts";
import { duration } from "../flags/values.ts";
import { sha256 } from "../../util/node/digest.ts";

/** Bytes of a token: 256 bit. */
const TOKEN_BYTES = 32;

const NEW_FLAGS = {
  name: valueFlag<string>("name", {
    help: "who uses it; recorded in deployments, the log and the audit log",
    fallback: "",
  }, (text) => checked(text, nameProblem)),
  rights: choiceFlag(TOKEN_RIGHTS, { help: "what it may do" }),
  services: listFlag("name|glob", {
    help: "limit it to services, several with commas between them",
  }, (text) => text.split(",").map((one) => checked(one.trim(), serviceProblem))),
  expires: valueFlag<string | null>("time", {
    help: "when it ends: 2027-01-31, 2027-01-31T12:00:00Z, or from now on: 720h",
    fallback: null,
  }, expiry),
  json: booleanFlag({ help: "machine-readable output" }),
} satisfies FlagTable;

/** Declares `token new`. */
export function declareNew(command: Command, context: Context): void {
  addFlags(command, NEW_FLAGS);
  addHandler(context, command, (given) => {
    newToken(context.io, readFlags(NEW_FLAGS, given as Record<string, unknown>, context.io));
    return Promise.resolve();
  });
}

function newToken(io: Io, flags: FlagValues<typeof NEW_FLAGS>): void {
  const { name, rights, expires } = flags;
  if (name === "") {
    throw new HarnessError("invalid_params", "Cannot make a token: give --name, who is to use it");
  }
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  const hash = `sha256:${sha256(token)}`;
  const services = flags.services.flat();
  const quoted = services.map((one) => JSON.stringify(one)).join(", ");
  const line = `- {name: ${JSON.stringify(name)}, hash: "${hash}", rights: ${rights}` +
    (services.length === 0 ? "" : `, services: [${quoted}]`) +
    (expires === null ? "" : `, expires: "${expires}"`) + "}";
  if (flags.json) return printJson(io, { name, token, hash, rights, services, expires, line });
  printText(
    io,
    `token, shown this once:\n${token}\n\nline for the server's --tokens-file:\n${line}\n`,
  );
}

function expiry(text: string): string {
  const time = parseTime(text);
  if (time !== null) return text;
  try {
    return new Date(Date.now() + duration(text)).toISOString();
  } catch {
    throw new Error("must be a date, a time with its zone, or how long it is valid, such as 720h");
  }
}

function checked(text: string, problemOf: (text: string) => string | null): string {
  const problem = problemOf(text);
  if (problem !== null) throw new Error(problem);
  return text;
}
