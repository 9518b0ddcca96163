/**
 * Reads what the scripts of this folder and `systemctl show` print. Pure.
 *
 * @module
 */
import { type ExitStatus, signalName } from "../../exit_status.ts";
import {
  type Occupant,
  releaseDirOf,
  type RunIdentity,
  type ServiceSpec,
  type ServiceStatus,
} from "../../service_spec.ts";

/** A unit as `systemctl show` reports it. */
export interface UnitStatus extends ServiceStatus {
  /** Whether systemd knows the unit. */
  known: boolean;
  /** Restarts that systemd made by itself. */
  restarts: number;
  /** Whether systemd is about to start it again. */
  restarting: boolean;
  /** The run it belongs to, or `null` where it carries no mark of ours. */
  identity: RunIdentity | null;
}

/**
 * The owner of a unit: nobody, this service's (with marks, by an earlier version, or edited by hand), another
 * installation's, another's.
 */
type UnitClass = "none" | "ours" | "unmarked" | "edited" | "elsewhere" | "foreign";

/** How a unit of the machine names its run: systemd gives each of its starts an id. */
const INVOCATION = "systemd:";

/** What a script reported. */
export interface UnitReport {
  /** Result: read or changed, not started, refused before any change, or the name is taken. */
  outcome: "done" | "error" | "failed" | "occupied";
  /** Why, for `error` and `failed`. */
  reason: string;
  /** `Name=value` lines of `systemctl show`, or empty where the script did not come to that. */
  properties: string;
  /** The marks of the unit or its main process, and its owner, by name. */
  facts: ReadonlyMap<string, string>;
  /** The service's last log lines. */
  log: string[];
  /** systemd's own messages on it. */
  messages: string[];
}

/** Reads a script's output. Only the first line of each kind counts, and text of others never begins like one of ours. */
export function parseUnitReport(stdout: string): UnitReport {
  const report = { outcome: "done" as UnitReport["outcome"], reason: "" };
  const facts = new Map<string, string>();
  const properties: string[] = [];
  const log: string[] = [];
  const messages: string[] = [];
  let inUnit = false;
  for (const line of stdout.split("\n")) {
    if (line.startsWith("|")) log.push(line.slice(1));
    else if (line.startsWith("!")) messages.push(line.slice(1));
    else if (line.startsWith("@harness ")) {
      const [, word = "", rest = ""] = /^@harness (\S+) ?(.*)/s.exec(line) ?? [];
      inUnit = word === "unit";
      if (word === "error" || word === "failed" || word === "occupied") {
        if (report.outcome === "done") Object.assign(report, { outcome: word, reason: rest });
      } else if (!facts.has(word)) facts.set(word, rest);
    } else if (inUnit) properties.push(line);
  }
  return { ...report, properties: properties.join("\n"), facts, log, messages };
}

/** The status of a unit from a report. */
export function unitStatus(report: UnitReport): UnitStatus {
  return parseUnit(report.properties, report.facts);
}

/** What is there under the name of a generated unit, or `null` when nothing is. */
export function unitOccupant(report: UnitReport): Occupant | null {
  const { facts } = report;
  const kind = (facts.get("class") ?? "foreign") as UnitClass;
  if (kind === "none") return null;
  const get = propertiesOf(report.properties);
  const ours = (kind === "ours" || kind === "unmarked") && facts.get("changed") !== "yes";
  const status = unitStatus(report);
  const from = facts.get("from") || null;
  const identity = status.running ? status.identity : null;
  return {
    kind: "unit",
    name: get("Id"),
    ours,
    identity: identity ?? (from === null ? null : { runId: null, releaseDir: releaseOf(from) }),
    running: status.running,
    ...(facts.has("gives") ? { givesWay: true } : {}),
    detail: detailOf(report),
  };
}

/**
 * What is there under the name of a unit of the machine that `execution` would take, or `null` where nothing is in
 * the way: such a unit is meant to be there, so only a running or a masked one counts.
 */
export function knownOccupant(
  report: UnitReport,
  execution: { unit: string; claim?: boolean },
): Occupant | null {
  const { facts } = report;
  const get = propertiesOf(report.properties);
  const status = unitStatus(report);
  const masked = get("LoadState") === "masked";
  if (!status.running && !masked && report.outcome !== "occupied") return null;
  const ours = report.outcome !== "occupied" && !masked &&
    (execution.claim !== true || facts.has("claim") || facts.get("class") === "ours" ||
      recordedWithoutClaim(report.log.join("\n"), execution.unit));
  const reason = masked
    ? `it is masked (systemctl unmask ${get("Id")})`
    : ours
    ? ""
    : `it is active already and was not started by this service; stop it (systemctl stop ${
      get("Id")
    }) to let this service take it over`;
  return {
    kind: "unit",
    name: get("Id"),
    ours,
    identity: status.identity,
    running: status.running,
    detail: detailOf(report, reason),
  };
}

/** The state of a unit, and why it is as it is: what the host says, or else `reason`. */
function detailOf({ properties, facts }: UnitReport, reason = ""): string {
  const get = propertiesOf(properties);
  const words = [get("ActiveState"), get("UnitFileState"), get("FragmentPath")];
  const state = words.filter((word) => word !== "").join(", ");
  const why = facts.get("why") ?? reason;
  return why === "" ? state : `${state}: ${why}`;
}

/** Whether the host's record of releases has an active one, by an earlier version, that runs `unit`. */
function recordedWithoutClaim(stateText: string, unit: string): boolean {
  try {
    const { active, releases } = JSON.parse(stateText);
    const { execution } = releases.find((release: { id: string }) => release.id === active).spec;
    return execution.unit === unit && execution.claim !== true;
  } catch {
    // No record, none of that kind, or one that deploy refuses itself.
    return false;
  }
}

/**
 * The status as one of this service: a unit of its name that runs another installation's release, or that was not
 * made by us at all, is not it.
 */
export function ofService(status: UnitStatus, spec: ServiceSpec): UnitStatus {
  const own = releaseDirOf(spec);
  if (spec.execution.type !== "managed_process" || own === null || !status.running) return status;
  const { releaseDir = null, runId = null } = status.identity ?? {};
  const made = releaseDir !== null || (runId !== null && !runId.startsWith(INVOCATION));
  const other = releaseDir === null
    ? !made && spec.envFile !== null
    : dirOf(releaseDir) !== dirOf(own);
  if (!other) return status;
  const whose = releaseDir === null
    ? "it was not made by harness-ws-server"
    : `it runs ${releaseDir}`;
  return {
    ...status,
    running: false,
    pid: null,
    restarting: false,
    detail: `${status.detail}, but is not this service's: ${whose}`,
  };
}

function dirOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/** Reads one block of `systemctl show -p …` output and the facts that came with it. */
export function parseUnit(
  text: string,
  facts: ReadonlyMap<string, string> = new Map(),
): UnitStatus {
  const get = propertiesOf(text);
  const active = get("ActiveState");
  const sub = get("SubState");
  const known = get("LoadState") !== "not-found" && get("LoadState") !== "";
  const restarting = sub === "auto-restart" || sub === "auto-restart-queued";
  const running = active === "active" || active === "reloading" || active === "deactivating" ||
    (active === "activating" && !restarting);
  const pid = Number(get("MainPID"));
  const result = get("Result");
  const why = result === "" || result === "success" ? "" : `, result ${result}`;
  return {
    running,
    pid: running && pid > 0 ? pid : null,
    containerId: null,
    ...(running ? { exitCode: null, signal: null } : unitEnd(get)),
    detail: known
      ? `${get("Id")} is ${active} (${sub})${why}`
      : `the unit ${get("Id")} does not exist`,
    // A unit that ends by itself in a way that counts as failure is "failed", not "inactive".
    asked: active === "inactive" && known,
    known,
    restarts: Number(get("NRestarts")) || 0,
    restarting,
    identity: running ? unitIdentity(get, facts) : null,
  };
}

/**
 * The run a unit belongs to: what the main process carries; where it overwrote its environment, what systemd has of the text it
 * was started from. A unit of the machine carries nothing: there it is systemd's id of the start, and the release is
 * that of our record of it.
 */
function unitIdentity(
  get: (name: string) => string,
  facts: ReadonlyMap<string, string>,
): RunIdentity | null {
  const text = /(?:^|[ "])HARNESS_RUN=([0-9A-Za-z-]+)/.exec(get("Environment"))?.[1];
  const made = text !== undefined || /\/\.harness\/[^/]+\/envs\//.test(get("EnvironmentFiles"));
  const runId = facts.get("run") ?? text ?? null;
  const releaseDir = releaseOf(facts.get("release") ?? (made ? get("WorkingDirectory") : ""));
  if (runId !== null || made) return { runId, releaseDir };
  const invocation = facts.get("claim") || get("InvocationID");
  if (invocation === "") return releaseDir === null ? null : { runId: null, releaseDir };
  return { runId: `${INVOCATION}${invocation}`, releaseDir };
}

function releaseOf(dir: string): string | null {
  return dir === "" || dir === "/" ? null : dir;
}

function propertiesOf(text: string): (name: string) => string {
  const properties = new Map(
    text.split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  return (name) => properties.get(name) ?? "";
}

/**
 * The last end of a main process that systemd wrote into the journal, or `null`: where a unit runs again already, its
 * properties speak of the new process.
 */
export function endInJournal(lines: readonly string[]): ExitStatus | null {
  for (const line of lines.toReversed()) {
    const found = /Main process exited, code=(exited|killed|dumped), status=(\d+)/.exec(line);
    if (found === null) continue;
    const status = Number(found[2]);
    return found[1] === "exited"
      ? { exitCode: status, signal: null }
      : { exitCode: null, signal: signalName(status) };
  }
  return null;
}

/** ExecMainCode is the `si_code` of SIGCHLD: 1 exited, 2 killed, 3 dumped core, 0 never ran. */
function unitEnd(get: (name: string) => string): ExitStatus {
  const status = Number(get("ExecMainStatus"));
  switch (get("ExecMainCode")) {
    case "1":
      return { exitCode: status, signal: null };
    case "2":
    case "3":
      return { exitCode: null, signal: signalName(status) };
    default:
      return { exitCode: null, signal: null };
  }
}
