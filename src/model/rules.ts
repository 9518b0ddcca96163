/**
 * Rules for single values, which both the schemas and `service_check.ts` apply.
 *
 * @module
 */
import { MAX_NAME_LENGTH, MAX_TEXT_LENGTH } from "./limits.ts";

/** What a text must look like. */
export interface TextRule {
  /** What all of it must match. */
  readonly pattern: RegExp;
  /** The same in words; it follows the path of the field. */
  readonly message: string;
  /** Most characters. */
  readonly maximum: number;
}

/** Whether a value is a text that keeps a rule. */
export function keeps(value: unknown, { pattern, maximum }: TextRule): value is string {
  return typeof value === "string" && value.length <= maximum && pattern.test(value);
}

/** A service name. */
export const NAME_RULE: TextRule = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
  message: "must be letters, digits, '.', '_' and '-', beginning with a letter or digit",
  maximum: MAX_NAME_LENGTH,
};

/** Text of one line: only visible characters, no spaces around it. */
export const LINE_RULE: TextRule = {
  pattern: /^(?!\s)[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+(?<!\s)$/u,
  message: "must be text of one line, without control characters or spaces around it",
  maximum: MAX_TEXT_LENGTH,
};

/** Text for people, of any number of lines. */
export const PROSE_RULE: TextRule = {
  pattern: /^(?:\r(?=\n)|[\n\t]|[^\p{Cc}\p{Cs}])*$/u,
  message: "must not contain control characters other than line breaks and tabs, or broken Unicode",
  maximum: MAX_TEXT_LENGTH,
};

/** What a process is given as it is, such as an argument or the value of a variable. */
export const PROCESS_TEXT_RULE: TextRule = {
  pattern: /^[^\0\p{Cs}]*$/u,
  message: "must not contain a NUL byte or broken Unicode",
  maximum: MAX_TEXT_LENGTH,
};

/** A unit: systemctl takes globs and flags, so nothing that could be one. */
export const UNIT_NAME_RULE: TextRule = {
  pattern: /^[A-Za-z0-9_][A-Za-z0-9:_.@\\-]*$/,
  message: "must be a unit name: letters, digits and : _ . @ \\ -, not beginning with -",
  // The limit of systemd.
  maximum: 255,
};

/** A program. */
export const COMMAND_RULE: TextRule = {
  pattern: /^(?![\s-])[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+(?<!\s)$/u,
  message: "must be a program: text of one line that does not begin with -",
  maximum: MAX_TEXT_LENGTH,
};

/** Most arguments of a command. */
export const MAX_ARGS = 1024;
/** Longest address. */
export const MAX_ADDRESS_LENGTH = 512;

/** Whether a text is `host:port`, with an IPv4 address, an IPv6 address in brackets, or a host name. */
export function isAddress(value: string): boolean {
  const match = /^(?:\[([0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?)\]|([^:[\]\s/@]+)):(\d{1,5})$/.exec(
    value,
  );
  if (match === null) return false;
  const [, ipv6, host, port] = match;
  if (Number(port) < 1 || Number(port) > 65535) return false;
  if (ipv6 !== undefined) return URL.canParse(`http://[${ipv6.replace(/%.*/, "")}]`);
  // A host whose last label is a number can only be an IPv4 address, as in URLs.
  if (/(^|\.)\d+\.?$/.test(host ?? "")) return isIpv4(host ?? "");
  return host !== undefined && host.length <= 253 &&
    /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/
      .test(host);
}

function isIpv4(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) &&
    host.split(".").every((byte) => Number(byte) <= 255);
}

/** Whether the numbers of an address have no zeros in front: 010 is ten to one program and eight to another. */
export function isPlainAddress(address: string): boolean {
  const plain = address.replace(/^\[.*\]/, "");
  return !plain.includes(":0") && !(/^[\d.]+:/.test(plain) && /(?:^|\.)0\d/.test(plain));
}
