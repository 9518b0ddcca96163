/**
 * What the values of flags and arguments are, so that they can be completed.
 *
 * @module
 */
import type { Argument, Option } from "../command_line/command.ts";
import type { Position } from "./position.ts";

/** What a value is. `text` is the user's own: nothing is offered. */
export type ValueKind =
  | "deployment"
  | "directory"
  | "endpoint"
  | "file"
  | "host"
  | "instance"
  | "named_file"
  | "package"
  | "package_file"
  | "service"
  | "target"
  | "text"
  | "version";

/** By the placeholder of a flag's value in the help. */
const BY_PLACEHOLDER: Readonly<Record<string, ValueKind>> = {
  "address": "text",
  "dir": "directory",
  "file": "file",
  "file.yaml": "file",
  "file...": "file",
  "file|key": "file",
  "host": "host",
  "host:port": "text",
  "id": "text",
  "image": "text",
  "K=V": "text",
  "K=path": "named_file",
  "k=v": "text",
  "key": "text",
  "n": "text",
  "name": "text",
  "name|glob": "service",
  "name=protocol://host:port": "text",
  "origin": "text",
  "path": "file",
  "service": "service",
  "size": "text",
  "text": "text",
  "time": "text",
  "unit": "text",
  "url": "text",
  "user@host[:port]": "target",
  "[user@]host[:port]": "target",
  "version": "text",
};

/** Flags whose placeholder means something else. */
const BY_FLAG: Readonly<Record<string, ValueKind>> = {
  "deploy --require-signature": "file",
  "deployments list --service": "service",
  "package keygen --out": "file",
  "resolve --endpoint": "endpoint",
  "rollback --version": "version",
  "serve --allow-host": "text",
};

/** By the name of an argument. */
const BY_ARGUMENT: Readonly<Record<string, ValueKind>> = {
  "-- command": "file",
  "command": "file",
  "dir": "directory",
  "file": "package_file",
  "id": "deployment",
  "name": "instance",
  "names": "instance",
  "package": "package",
  "service": "instance",
  "services": "instance",
};

/** Arguments whose name means something else. */
const BY_COMMAND: Readonly<Record<string, ValueKind>> = {
  "resolve service": "service",
  "service register name": "text",
};

/** What a flag takes: a closed list, or a kind; `null` where nobody has said. */
function flagKind(path: string, option: Option): readonly string[] | ValueKind | null {
  const name = /<(.*)>$/.exec(option.flags)?.[1] ?? "";
  return option.choices ?? BY_FLAG[`${path} ${option.long}`] ?? BY_PLACEHOLDER[name] ?? null;
}

/** What an argument takes; `null` where nobody has said. */
function argumentKind(
  path: string,
  argument: Argument,
): ValueKind | null {
  const { name } = argument;
  return BY_COMMAND[`${path} ${name}`] ?? BY_ARGUMENT[name] ?? null;
}

/** What the value at a position is, or `null` where none is completed there. */
export function kindAt(
  { path, option, argument }: Pick<Position, "path" | "option" | "argument">,
): readonly string[] | ValueKind | null {
  if (option !== null) return flagKind(path, option);
  return argument === null ? null : argumentKind(path, argument);
}
