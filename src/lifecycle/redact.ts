/**
 * Takes the values of secrets out of what is reported: a service that prints its own secret must not bring it into
 * events, records and the journal by way of its last log lines. Pure.
 *
 * @module
 */
import { MIN_REDACTED_CHARACTERS, MIN_REDACTED_PART_CHARACTERS } from "../limits.ts";

/** What stands in place of a secret. */
export const HIDDEN = "[REDACTED]";

/** Replaces every secret in every text of a JSON value. */
export type Redact = <T>(value: T) => T;

/** Hides these secrets; very short ones are left, since they would black out ordinary text. */
export function redactor(secrets: readonly string[]): Redact {
  const forms = [...new Set(secrets.flatMap(formsOf))]
    .filter((form) => form.length >= MIN_REDACTED_CHARACTERS)
    // The longest first: one secret may be a part of another.
    .sort((a, b) => b.length - a.length);
  if (forms.length === 0) return (value) => value;
  const hide = (text: string) =>
    forms.reduce((all, form) => hideCut(all.replaceAll(form, HIDDEN), form), text);
  return <T>(value: T) => walk(value, hide) as T;
}

/**
 * The details of an error without secrets. Its `reason` is left where it is a word of ours, which programs compare:
 * a secret may be such a word.
 */
export function redactDetails(
  details: Readonly<Record<string, unknown>> | undefined,
  redact: Redact,
): Record<string, unknown> {
  const reason = details?.["reason"];
  const code = typeof reason === "string" && /^[a-z_]+$/.test(reason);
  return { ...redact(details), ...(code ? { reason } : {}) };
}

/** Hides what is left of a secret where a text was cut in the middle of it: at its end, before "…", at its beginning. */
function hideCut(text: string, secret: string): string {
  if (secret.length <= MIN_REDACTED_PART_CHARACTERS) return text;
  const head = secret.slice(0, MIN_REDACTED_PART_CHARACTERS);
  for (let at = text.indexOf(head); at >= 0; at = text.indexOf(head, at + 1)) {
    const dots = text.indexOf("…", at);
    for (const end of [dots, text.length]) {
      if (end > at && secret.startsWith(text.slice(at, end))) {
        text = `${text.slice(0, at)}${HIDDEN}${text.slice(end)}`;
      }
    }
  }
  const tail = secret.slice(-MIN_REDACTED_PART_CHARACTERS);
  for (let at = text.indexOf(tail); at >= 0; at = text.indexOf(tail, at + 1)) {
    const end = at + tail.length;
    if (secret.endsWith(text.slice(0, end))) text = `${HIDDEN}${text.slice(end)}`;
  }
  return text;
}

/** A secret as it is, trimmed, each of its lines (logs are cut into lines), and as JSON writes it. */
function formsOf(secret: string): string[] {
  const plain = [secret, secret.trim(), ...secret.split(/\r?\n/).map((line) => line.trim())];
  return plain.flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
}

function walk(value: unknown, hide: (text: string) => string): unknown {
  if (typeof value === "string") return hide(value);
  if (Array.isArray(value)) return value.map((item) => walk(item, hide));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, hide)]));
}
