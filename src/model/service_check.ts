/**
 * Checks what is registered and changed most without the schemas of `service_schema.ts`, by the same rules: a schema
 * makes 8 kB of garbage for each registration, some of which outlives it while the change waits for the disk.
 *
 * A check returns what the schema returns, or `null`: then the schema decides, and says what is wrong. The values must
 * be from `JSON.parse()`: records and texts are taken as they are.
 *
 * @module
 */
import { MAX_DEPENDENCIES, MAX_ENDPOINTS, MAX_LABELS, MAX_TTL_MS, MIN_TTL_MS } from "./limits.ts";
import {
  COMMAND_RULE,
  isAddress,
  isPlainAddress,
  keeps,
  LINE_RULE,
  MAX_ADDRESS_LENGTH,
  MAX_ARGS,
  NAME_RULE,
  PROCESS_TEXT_RULE,
  PROSE_RULE,
  type TextRule,
  UNIT_NAME_RULE,
} from "./rules.ts";
import {
  type CheckedServiceInput,
  type Endpoint,
  type Execution,
  KNOWN_PROTOCOLS,
  SERVICE_STATES,
  type ServiceState,
} from "./service.ts";
import { isServiceId } from "./service_id.ts";
import { isObject } from "../util/json.ts";

/** What a client may change of an entry, checked. */
export type CheckedChanges = Partial<
  Pick<CheckedServiceInput, "endpoints" | "labels" | "depends_on" | "version">
>;

type Fields = Readonly<Record<string, unknown>>;

/** The fields of an object; `null` for any other value. */
export function fieldsOf(value: unknown): Fields | null {
  return isObject(value) ? value : null;
}

/** A registration as `serviceInputSchema` returns it. */
export function checkedInput(value: unknown): CheckedServiceInput | null {
  const fields = fieldsOf(value);
  if (fields === null) return null;
  const { id, name, version, ttl_ms } = fields;
  const execution = checkedExecution(fields["execution"]);
  if (!keeps(name, NAME_RULE) || !keeps(version, LINE_RULE) || execution === null) return null;
  if (id !== undefined && !isServiceId(id)) return null;
  if (ttl_ms !== undefined && !isTtl(ttl_ms)) return null;
  // Only deployments register what runs elsewhere.
  const changes = fields["location"] === undefined ? checkedChanges(fields) : null;
  if (changes === null) return null;
  return {
    ...(id === undefined ? null : { id }),
    name,
    version,
    execution,
    ...changes,
    ...(ttl_ms === undefined ? null : { ttl_ms }),
  };
}

/** The fields that both a registration and a change may have, as the schemas return them. */
export function checkedChanges(
  { endpoints, depends_on, labels, version }: Fields,
): CheckedChanges | null {
  const changes: CheckedChanges = {};
  if (endpoints !== undefined) {
    const checked = checkedEndpoints(endpoints);
    if (checked === null) return null;
    changes.endpoints = checked;
  }
  if (depends_on !== undefined) {
    if (!isListOf(depends_on, NAME_RULE, MAX_DEPENDENCIES) || !isDistinct(depends_on)) return null;
    changes.depends_on = depends_on;
  }
  if (labels !== undefined) {
    if (!isRecord(labels)) return null;
    changes.labels = labels;
  }
  if (version !== undefined) {
    if (!keeps(version, LINE_RULE)) return null;
    changes.version = version;
  }
  return changes;
}

/** Whether a value is a state. */
export function isState(value: unknown): value is ServiceState {
  return (SERVICE_STATES as readonly unknown[]).includes(value);
}

/** Whether a value is a text for people. */
export function isProse(value: unknown): value is string {
  return keeps(value, PROSE_RULE);
}

/** Those that are registered most; `null` for the others. */
function checkedExecution(value: unknown): Execution | null {
  const { type, unit_name, command, args = [], pid = null } = fieldsOf(value) ?? {};
  if (type === "systemd_service") {
    return keeps(unit_name, UNIT_NAME_RULE) ? { type, unit_name } : null;
  }
  if (type !== "managed_process" || !keeps(command, COMMAND_RULE)) return null;
  if (!isListOf(args, PROCESS_TEXT_RULE, MAX_ARGS) || !(pid === null || isPid(pid))) return null;
  return { type, command, args, pid };
}

function checkedEndpoints(value: unknown): Endpoint[] | null {
  if (!Array.isArray(value) || value.length > MAX_ENDPOINTS) return null;
  const endpoints: Endpoint[] = [];
  for (const one of value) {
    const endpoint = checkedEndpoint(one);
    if (endpoint === null) return null;
    endpoints.push(endpoint);
  }
  return isDistinct(endpoints.map(({ name }) => name)) ? endpoints : null;
}

function checkedEndpoint(value: unknown): Endpoint | null {
  const { name, address, protocol, metadata = {} } = fieldsOf(value) ?? {};
  if (!keeps(name, NAME_RULE) || typeof address !== "string") return null;
  if (address.length > MAX_ADDRESS_LENGTH || !isAddress(address)) return null;
  if (!isPlainAddress(address) || !isRecord(metadata)) return null;
  const known = KNOWN_PROTOCOLS.find((one) => one === protocol);
  return known === undefined ? null : { name, address, protocol: known, metadata };
}

/** Whether a value is labels, or metadata of about as many fields. */
function isRecord(value: unknown): value is Record<string, string> {
  const fields = fieldsOf(value);
  if (fields === null) return false;
  let count = 0;
  for (const key in fields) {
    if (++count > MAX_LABELS || key === "__proto__") return false;
    if (!keeps(key, LINE_RULE) || !keeps(fields[key], PROSE_RULE)) return false;
  }
  return true;
}

function isListOf(value: unknown, rule: TextRule, most: number): value is string[] {
  return Array.isArray(value) && value.length <= most && value.every((one) => keeps(one, rule));
}

function isDistinct(values: readonly string[]): boolean {
  return values.length < 2 || new Set(values).size === values.length;
}

function isPid(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}

function isTtl(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= MIN_TTL_MS && Number(value) <= MAX_TTL_MS;
}
