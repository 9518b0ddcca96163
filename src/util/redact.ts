/**
 * Removes secrets from reported text: a service that prints its own secret must not bring it into events, records and the
 * journal through its last log lines. Pure.
 *
 * @module
 */
/** Shorter secrets are not redacted: that would hide ordinary text. */
const MIN_REDACTED_CHARACTERS = 4;
/** Shortest part of a secret that is redacted where a text was cut. */
const MIN_REDACTED_PART_CHARACTERS = 6;

/** Replaces a secret. */
export const HIDDEN = "[REDACTED]";

/** Replaces every secret in every text of a JSON value. */
export type Redact = <T>(value: T) => T;

/**
 * Forms of secrets that are searched for: several times the lines of one service's secrets. Secrets can come from a host,
 * and a hostile one must not make the search expensive.
 */
const MAX_FORMS = 10_000;

/** Candidates for a part of one secret in one text: a text with more of them is not a log line. */
const MAX_PIECES = 256;

/**
 * Redacts these secrets, except very short ones. When they are too many to search for, all text is hidden.
 */
export function redactor(secrets: readonly string[]): Redact {
  const forms = formsOf(secrets);
  if (forms === null) return <T>(value: T) => walk(value, () => HIDDEN) as T;
  if (forms.length === 0) return (value) => value;
  const hide = (text: string) => withoutParts(text, forms.flatMap((form) => partsOf(text, form)));
  return <T>(value: T) => walk(value, hide) as T;
}

/**
 * Redacts the details of an error. A `reason` that is one of our words is kept, because programs compare it, even when a
 * secret is the same word.
 */
export function redactDetails(
  details: Readonly<Record<string, unknown>> | undefined,
  redact: Redact,
): Record<string, unknown> {
  const reason = details?.["reason"];
  const code = typeof reason === "string" && /^[a-z_]+$/.test(reason);
  return { ...redact(details), ...(code ? { reason } : {}) };
}

/** A part of a text: start, and end (exclusive). */
type Part = readonly [from: number, to: number];

/** Replaces these parts, overlapping ones together. Replacements are not searched again. */
function withoutParts(text: string, parts: Part[]): string {
  let shown = "";
  let at = 0;
  let hidden: Part | null = null;
  for (const [from, to] of parts.sort((a, b) => a[0] - b[0])) {
    if (hidden !== null && from < hidden[1]) {
      hidden = [hidden[0], Math.max(hidden[1], to)];
      continue;
    }
    if (hidden !== null) {
      shown += text.slice(at, hidden[0]) + HIDDEN;
      at = hidden[1];
    }
    hidden = [from, to];
  }
  if (hidden === null) return text;
  return shown + text.slice(at, hidden[0]) + HIDDEN + text.slice(hidden[1]);
}

/** Parts that are a secret, or the rest of one where the text was cut: at its end, before "…", at its beginning. */
function partsOf(text: string, secret: string): Part[] {
  const parts: Part[] = [];
  const { length } = secret;
  for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + length)) {
    parts.push([at, at + length]);
  }
  if (length <= MIN_REDACTED_PART_CHARACTERS) return parts;
  return [...parts, ...beginningsOf(text, secret), ...endOf(text, secret)];
}

/** Parts that are the beginning of a secret, at the end of the text or before "…". */
function beginningsOf(text: string, secret: string): Part[] {
  const parts: Part[] = [];
  const head = secret.slice(0, MIN_REDACTED_PART_CHARACTERS);
  let dots = -1;
  let count = 0;
  for (let at = text.indexOf(head); at >= 0; at = text.indexOf(head, at + 1)) {
    if (++count > MAX_PIECES) return [...parts, [at, text.length]];
    if (dots < at) dots = text.indexOf("…", at);
    if (dots < 0) dots = text.length;
    for (const end of new Set([dots, text.length])) {
      if (end - at <= secret.length && secret.startsWith(text.slice(at, end))) {
        parts.push([at, end]);
      }
    }
  }
  return parts;
}

/** The part at the beginning of the text that is the end of a secret. */
function endOf(text: string, secret: string): Part[] {
  const tail = secret.slice(-MIN_REDACTED_PART_CHARACTERS);
  let longest = 0;
  let count = 0;
  for (let at = text.indexOf(tail); at >= 0; at = text.indexOf(tail, at + 1)) {
    const end = at + tail.length;
    if (end > secret.length) break;
    if (++count > MAX_PIECES) return [[0, Math.min(secret.length, text.length)]];
    if (secret.endsWith(text.slice(0, end))) longest = end;
  }
  return longest === 0 ? [] : [[0, longest]];
}

/**
 * The forms of secrets: whole, trimmed, by line (logs are split into lines), each also as in JSON; `null` when there are
 * too many.
 */
function formsOf(secrets: readonly string[]): string[] | null {
  const forms = new Set<string>();
  let lines = 0;
  for (const secret of secrets) {
    for (let from = 0; from <= secret.length;) {
      if (++lines > MAX_FORMS) return null;
      const end = secret.indexOf("\n", from);
      addForms(forms, secret.slice(from, end < 0 ? secret.length : end).trim());
      from = end < 0 ? Infinity : end + 1;
    }
    addForms(forms, secret);
    addForms(forms, secret.trim());
  }
  return [...forms];
}

function addForms(forms: Set<string>, text: string): void {
  for (const form of [text, JSON.stringify(text).slice(1, -1)]) {
    if (form.length >= MIN_REDACTED_CHARACTERS) forms.add(form);
  }
}

function walk(value: unknown, hide: (text: string) => string): unknown {
  if (typeof value === "string") return hide(value);
  if (Array.isArray(value)) return value.map((item) => walk(item, hide));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, hide)]));
}
