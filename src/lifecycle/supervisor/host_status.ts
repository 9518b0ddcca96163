/**
 * The state of all services of one machine by one command, whatever their number and kind.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { HOST_STATUS_OUTPUT_BYTES } from "../limits.ts";
import { LOOK_TIMEOUT_MS } from "../../model/limits.ts";
import { ownerOf } from "../drivers/docker/commands.ts";
import { DOCKER_LOOK_SECONDS } from "../drivers/docker/limits.ts";
import { RUN_DOCKER } from "../drivers/docker/scripts.ts";
import { parseContainer, statusOf } from "../drivers/docker/status.ts";
import { parseProcessStatus } from "../drivers/process/commands.ts";
import { STATUS_FUNCTION } from "../drivers/process/scripts.ts";
import type { ControlOptions, ServiceSpec, ServiceStatus } from "../service_spec.ts";
import { ofService, parseUnit, parseUnitReport } from "../drivers/systemd/report.ts";
import { CARRIED, UNIT_PROPERTIES } from "../drivers/systemd/library.ts";
import { isUnitName, unitName } from "../drivers/systemd/generated/unit.ts";

/** A status that also knows of restarts that a service manager makes by itself. */
export interface ObservedStatus extends ServiceStatus {
  /** Whether systemd or docker is about to start it again. */
  restarting: boolean;
  /** Restarts that systemd or docker made by itself, or `null` where nobody but us restarts. */
  restarts: number | null;
}

/** One service to look at. */
export interface StatusQuery {
  /** What it is. */
  spec: ServiceSpec;
  /** As in `createController`; left out: found out on the machine. */
  systemd?: boolean;
}

/** Reads lines \`KIND<TAB>INDEX<TAB>A<TAB>B\` from stdin: m managed process (detect), p process, u unit, d container. */
const HOST_STATUS_SCRIPT = `${STATUS_FUNCTION}${RUN_DOCKER}${CARRIED}
h_systemd=no
if [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] && command -v systemctl >/dev/null; then h_systemd=yes; fi
h_tab=$(printf '\\t')
h_indices= h_containers=
h_nl='
'
set --
while IFS="$h_tab" read -r h_kind h_index h_first h_second; do
  if [ "$h_kind" = m ]; then
    if [ $h_systemd = yes ]; then h_kind=u h_first=harness-$h_second.service; else h_kind=p; fi
  fi
  case $h_kind in
    p) printf 'p %s ' "$h_index"; h_status "$h_first" "$h_second" ;;
    u) h_indices="$h_indices $h_index"; set -- "$@" "$h_first" ;;
    d) h_containers="$h_containers$h_first$h_nl" ;;
  esac
done
if [ $# -gt 0 ]; then
  h_shown=$(systemctl show -p ${UNIT_PROPERTIES} -- "$@" </dev/null)
  printf 'units%s\\n%s\\n\\ncarried\\n' "$h_indices" "$h_shown"
  h_n=0
  printf '%s\\n' "$h_shown" | while IFS= read -r h_line; do
    case $h_line in
      '') h_n=$((h_n + 1)) ;;
      MainPID=*) echo "at $h_n"; h_carried "\${h_line#MainPID=}" ;;
    esac
  done
fi
if [ -n "$h_containers" ]; then
  echo containers
  set -f
  IFS=$h_nl
  set -- $h_containers
  unset IFS
  h_code=0
  h_docker ${DOCKER_LOOK_SECONDS} inspect --type container -f "$h_inspect_format" -- "$@" 2>&1 </dev/null || h_code=$?
  if h_late $h_code; then echo silent; else echo "ended $h_code"; fi
fi
exit 0
`;

/** Options of {@linkcode hostStatus}. */
export interface HostStatusOptions extends ControlOptions {
  /** Called for each query of which nothing could be found out, with the reason. */
  onUnknown?: (index: number, reason: string) => void;
}

/**
 * Looks at all `queries` by one command and gives their states in the same order; `null` where the machine could not
 * tell (a docker daemon that does not answer says nothing about its containers).
 */
export async function hostStatus(
  executor: Executor,
  queries: readonly StatusQuery[],
  options: HostStatusOptions = {},
): Promise<(ObservedStatus | null)[]> {
  const { onUnknown, ...control } = options;
  const result = await executor.run({ script: HOST_STATUS_SCRIPT }, {
    stdin: queries.map((query, index) => isUnit(query) ? queryLine(query, index) : "").join(""),
    timeoutMs: LOOK_TIMEOUT_MS,
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
  const found: (ObservedStatus | null)[] = queries.map(() => null);
  const [beforeContainers, containers] = splitAt(stdout, /^containers\n/m);
  const [processes, units] = splitAt(beforeContainers, /^units ?/m);
  for (const [, index, line] of processes.matchAll(/^p (\d+) (.*)$/gm)) {
    // What was not asked is not told: one large number would make a list of that length.
    if (Number(index) >= queries.length) continue;
    found[Number(index)] = { ...parseProcessStatus(line ?? ""), restarting: false, restarts: null };
  }
  const [header, rest] = splitAt(units, /\n/);
  const [body, carried] = splitAt(rest, /^carried\n/m);
  const facts = new Map(
    carried.split(/^at /m).map((text) => [Number.parseInt(text), parseUnitReport(text).facts]),
  );
  const blocks = body.split("\n\n");
  header.split(" ").filter((index) => index !== "").forEach((index, at) => {
    const block = blocks[at];
    const spec = queries[Number(index)]?.spec;
    if (block === undefined || block.trim() === "" || spec === undefined) return;
    found[Number(index)] = ofService(parseUnit(block, facts.get(at)), spec);
  });
  queries.forEach((query, index) => {
    if (!isUnit(query)) found[index] = NO_UNIT;
  });
  readContainers(containers, queries, { found, onUnknown });
  return found;
}

const NO_UNIT: ObservedStatus = {
  running: false,
  pid: null,
  containerId: null,
  exitCode: null,
  signal: null,
  detail: "the name of its unit is none that systemd could have",
  restarting: false,
  restarts: 0,
};

/** How docker says that there is no such container. */
const NONE = /no such (?:object|container)/i;

function readContainers(
  text: string,
  queries: readonly StatusQuery[],
  { found, onUnknown }: {
    found: (ObservedStatus | null)[];
    onUnknown: (index: number, reason: string) => void;
  },
): void {
  const lines = text.split("\n").filter((line) => line !== "");
  const last = lines.at(-1) ?? "";
  const byName = new Map(
    lines.map(parseContainer).filter((c) => c !== null).map((c) => [c.name, c]),
  );
  // Docker answers for each name, also where it takes the name for the beginning of another one's id.
  const answered = /^ended [01]$/.test(last) &&
    lines.slice(0, -1).every((line) => line.startsWith("{") || NONE.test(line));
  const reason = last === "silent"
    ? `Docker did not respond within ${DOCKER_LOOK_SECONDS} s`
    : lines.findLast((line) =>
      !line.startsWith("{") && !/^ended \d+$/.test(line) && !NONE.test(line)
    ) ??
      "docker did not say";
  queries.forEach(({ spec }, index) => {
    if (spec.execution.type !== "docker_container") return;
    const container = byName.get(spec.execution.container) ?? null;
    if (container !== null || answered) found[index] = statusOf(container, ownerOf(spec));
    else onUnknown(index, reason);
  });
}

/** Whether the unit's name, where there is one, can be asked for: systemctl would take a pattern for many units. */
function isUnit({ spec }: StatusQuery): boolean {
  return !("unit" in spec.execution) || isUnitName(spec.execution.unit);
}

function queryLine({ spec, systemd }: StatusQuery, index: number): string {
  const { execution } = spec;
  const fields = execution.type === "docker_container"
    ? ["d", index, execution.container, "-"]
    : execution.type !== "managed_process"
    ? ["u", index, execution.unit, "-"]
    : systemd === true
    ? ["u", index, unitName(spec.name), "-"]
    : [systemd === false ? "p" : "m", index, spec.runDir, spec.name];
  const line = fields.join("\t");
  if (fields.some((field) => /[\t\n]/.test(String(field)))) {
    throw new HarnessError(
      "invalid_params",
      `Cannot look at ${spec.name}: a tab or line end in ${JSON.stringify(line)}`,
    );
  }
  return `${line}\n`;
}

function splitAt(text: string, at: RegExp): [string, string] {
  const match = at.exec(text);
  if (match === null) return [text, ""];
  return [text.slice(0, match.index), text.slice(match.index + match[0].length)];
}
