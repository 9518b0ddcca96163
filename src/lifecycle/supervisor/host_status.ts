/**
 * The state of all services of one machine by one command, whatever their number and kind.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { STATUS_TIMEOUT_MS } from "../../model/limits.ts";
import type { Driver, ObservedStatus, StatusSource } from "../drivers/driver.ts";
import { OWN_ENVIRONMENT, USES_SYSTEMD } from "../drivers/shell/library.ts";
import { dependsOnSystemd, driverFor } from "../drivers/table.ts";
import { HOST_STATUS_OUTPUT_BYTES } from "../limits.ts";
import type { ControlOptions, ServiceSpec } from "../service_spec.ts";
import dispatch from "./host_status.sh" with { type: "text" };

/** One service to poll. */
export interface StatusQuery {
  /** What it is. */
  spec: ServiceSpec;
  /** As in `createController`; left out: found out on the machine. */
  systemd?: boolean | undefined;
}

/** Options of {@linkcode hostStatus}. */
export interface HostStatusOptions extends ControlOptions {
  /** Called for each query whose state could not be found out, with the reason. */
  onUnknown?: (index: number, reason: string) => void;
}

/** What one part of the command is asked for. */
interface Section {
  source: StatusSource;
  /** The specs by their index among all queries. */
  asked: Map<number, ServiceSpec>;
  /** The lines for its function. */
  lines: string[];
}

/** All queries, split into the parts of the command. */
interface Plan {
  sections: Map<string, Section>;
  /** The states that are known without asking. */
  known: Map<number, ObservedStatus>;
}

/**
 * Polls all `queries` by one command and returns their states in the same order; `null` if unknown
 * (a docker daemon that does not respond proves nothing about its containers).
 */
export async function hostStatus(
  executor: Executor,
  queries: readonly StatusQuery[],
  options: HostStatusOptions = {},
): Promise<(ObservedStatus | null)[]> {
  const { onUnknown, ...control } = options;
  const sections = [...planOf(queries).sections.values()];
  const script = [
    OWN_ENVIRONMENT,
    USES_SYSTEMD,
    ...sections.map(({ source }) => source.script),
    dispatch,
    ...sections.map(({ source }) => `h_section ${source.section}\n`),
    "exit 0\n",
  ].join("");
  const result = await executor.run({ name: "host_status", script }, {
    stdin: sections.flatMap(({ lines }) => lines).join(""),
    timeoutMs: STATUS_TIMEOUT_MS,
    maxOutputBytes: HOST_STATUS_OUTPUT_BYTES,
    ...control,
  });
  return parseHostStatus(result.stdout, queries, onUnknown);
}

/** Reads what the combined command printed. */
export function parseHostStatus(
  stdout: string,
  queries: readonly StatusQuery[],
  onUnknown: HostStatusOptions["onUnknown"] = () => undefined,
): (ObservedStatus | null)[] {
  const { sections, known } = planOf(queries);
  const found: (ObservedStatus | null)[] = queries.map((_, index) => known.get(index) ?? null);
  const texts = sectionTexts(stdout);
  for (const [name, { source, asked }] of sections) {
    const text = texts.get(name);
    if (text === undefined) continue;
    for (const [index, status] of source.read(text, asked)) {
      if (typeof status === "string") onUnknown(index, status);
      else found[index] = status;
    }
  }
  return found;
}

/** The output of each section, which begins with a line of its own. */
function sectionTexts(stdout: string): Map<string, string> {
  const [, ...parts] = stdout.split(/^@harness status (\S+)\n/m);
  const texts = new Map<string, string>();
  for (let at = 0; at < parts.length; at += 2) {
    const name = parts[at] ?? "";
    if (!texts.has(name)) texts.set(name, parts[at + 1] ?? "");
  }
  return texts;
}

function planOf(queries: readonly StatusQuery[]): Plan {
  const plan: Plan = { sections: new Map(), known: new Map() };
  queries.forEach(({ spec, systemd }, index) => {
    if (systemd === undefined && dependsOnSystemd(spec.execution)) {
      // One of the two counts, see host_status.sh.
      add(plan, { spec, index, driver: driverFor(spec.execution, false), mark: "?" });
      add(plan, { spec, index, driver: driverFor(spec.execution, true), mark: "?" });
    } else {
      add(plan, { spec, index, driver: driverFor(spec.execution, systemd), mark: "" });
    }
  });
  return plan;
}

function add(
  { sections, known }: Plan,
  { spec, index, driver, mark }: { spec: ServiceSpec; index: number; driver: Driver; mark: string },
): void {
  const query = driver.statusQuery(spec);
  if ("running" in query) {
    known.set(index, query);
    return;
  }
  const { status: source } = driver;
  const section: Section = sections.get(source.section) ?? { source, asked: new Map(), lines: [] };
  sections.set(source.section, section);
  section.asked.set(index, spec);
  const fields = [`${mark}${source.section}`, index, ...query];
  const line = fields.join("\t");
  if (fields.some((field) => /[\t\n]/.test(String(field)))) {
    throw new HarnessError(
      "invalid_params",
      `Cannot poll ${spec.name}: a tab or line end in ${JSON.stringify(line)}`,
    );
  }
  section.lines.push(`${line}\n`);
}
