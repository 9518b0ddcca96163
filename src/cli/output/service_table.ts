/**
 * The table of services, of `services` and `watch`.
 *
 * @module
 */
import type { Endpoint, ServiceEntry } from "../../model/service.ts";
import { visible } from "../../util/terminal_text.ts";
import type { Table } from "./table_layout.ts";
import { ageOf, fullTime } from "./times.ts";

interface Column {
  readonly title: string;
  /** Only with `--wide`, or only without it; else always. */
  readonly when?: "wide" | "narrow";
  cell(entry: ServiceEntry, now: number): string;
}

const COLUMNS: readonly Column[] = [
  { title: "ID", cell: (entry) => entry.id },
  { title: "STATE", cell: (entry) => entry.state },
  { title: "HEALTH", cell: healthOf },
  { title: "VERSION", cell: (entry) => entry.version },
  { title: "HOST", cell: hostOf },
  { title: "AGE", when: "narrow", cell: (entry, now) => ageOf(entry.last_state_change, now) },
  { title: "RUNS AS", when: "wide", cell: (entry) => entry.execution.type },
  { title: "ENDPOINTS", when: "wide", cell: endpointsOf },
  { title: "SINCE", when: "wide", cell: (entry) => fullTime(entry.last_state_change) },
  { title: "CHECKED", when: "wide", cell: checkedOf },
  { title: "REASON", cell: (entry) => entry.state_reason ?? "" },
];

/** Options for {@linkcode serviceTable}. */
export interface ServiceTableOptions {
  /** More columns, and full times. @default {false} */
  wide?: boolean;
  /** The time that ages are counted from. @default {Date.now()} */
  now?: number;
}

/** The table of `entries`, in their order. */
export function serviceTable(
  entries: readonly ServiceEntry[],
  options: ServiceTableOptions = {},
): Table {
  const { wide = false, now = Date.now() } = options;
  const columns = COLUMNS.filter(({ when = "" }) => when !== (wide ? "narrow" : "wide"));
  return {
    head: columns.map(({ title }) => title),
    rows: entries.map((entry) => columns.map((column) => visible(column.cell(entry, now)))),
  };
}

/** Whether it is healthy, in one word. */
function healthOf({ last_health_check: health }: ServiceEntry): string {
  return health === null ? "-" : health.healthy ? "healthy" : "unhealthy";
}

/** The protocol of an endpoint in one word. */
export function protocolText(endpoint: Endpoint): string {
  return typeof endpoint.protocol === "string" ? endpoint.protocol : endpoint.protocol.custom;
}

function hostOf({ location }: ServiceEntry): string {
  return location.type === "local" ? "local" : location.host;
}

function endpointsOf({ endpoints }: ServiceEntry): string {
  return endpoints.map((one) => `${one.name}=${one.address}`).join(",") || "-";
}

function checkedOf({ last_health_check: health }: ServiceEntry): string {
  return health === null ? "-" : fullTime(health.checked_at);
}
