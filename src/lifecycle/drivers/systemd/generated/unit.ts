/**
 * The text of the unit that systemd runs a managed process by: a pure function.
 *
 * @module
 */
import { HarnessError } from "../../../../errors.ts";
import { START_TIMEOUT_MS } from "../../../limits.ts";
import type { ProcessSpec } from "../../process/commands.ts";
import type { ServiceSpec } from "../../../service_spec.ts";
import { hardeningLines } from "./hardening.ts";
import { sha256 } from "../../../../util/node/digest.ts";

/** Time that is added to a unit's restart pauses to make the window in which restarts are counted. */
const RESTART_WINDOW_MS = 60_000;

/** The name of the unit for service `name`. */
export function unitName(name: string): string {
  return `harness-${name}.service`;
}

/** The first line of the units that earlier versions made: they carry no marks. */
const UNMARKED_HEADER = "# Made by harness-ws-server; written anew at each start.";

const HEADER = `${UNMARKED_HEADER} Change it by a drop-in: an edited one is refused.`;

/**
 * The directory that all releases of a service share on its machine: the owner of a unit. For a release that is the
 * bookkeeping directory above `run/<release>`, for a registered command its run directory without the command's digest.
 */
export function servicePlace(spec: Pick<ServiceSpec, "runDir">): string {
  return spec.runDir.replace(/(?:\/run\/[^/]+|-[0-9a-f]{8})$/, "");
}

/**
 * The unit's text for run `runId`. Its head names the owner: service, place, release, run, and the checksum of
 * everything below the checksum's own line, by which an edited one is known.
 */
export function unitText(spec: ProcessSpec, runId: string): string {
  const { execution, ports, workDir } = spec;
  const marks = [
    ["service", spec.name],
    ["place", servicePlace(spec)],
    ["release", workDir],
    ["run-dir", spec.runDir],
    ["run", runId],
  ].map(([name = "", value = ""]) => `# harness-${name}: ${oneLine(value)}`);
  const hardening = { hardening: execution.hardening, user: execution.user, ports, workDir };
  const body = [
    ...marks,
    ...unitLines(spec, [`Environment=HARNESS_RUN=${runId}`, ...hardeningLines(hardening)]),
  ].join("\n");
  return `${HEADER}\n# harness-sha256: ${sha256(body)}\n${body}`;
}

/**
 * The SHA-256 of the text that earlier versions wrote for `spec`, without its description: proves a unit without marks
 * to be this service's.
 */
export function unmarkedUnitDigest(spec: ProcessSpec): string {
  const lines = [UNMARKED_HEADER, ...unitLines(spec, [])];
  return sha256(lines.filter((line) => !line.startsWith("Description=")).join("\n"));
}

function unitLines(spec: ProcessSpec, more: readonly string[]): string[] {
  const { execution, restart, stop } = spec;
  const daemon = execution.start === "daemon";
  // Burst counts starts: the first one and the restarts after it.
  const windowMs = restart.backoffMs * (restart.maxRetries + 1) + RESTART_WINDOW_MS;
  return [
    "[Unit]",
    `Description=${quoteText(`${spec.name} ${spec.version}`)}`,
    "Wants=network-online.target",
    "After=network-online.target",
    `StartLimitIntervalSec=${seconds(windowMs)}`,
    `StartLimitBurst=${restart.maxRetries + 1}`,
    "",
    "[Service]",
    `Type=${daemon ? "forking" : "exec"}`,
    `ExecStart=${execLine(execution.argv)}`,
    ...(execution.stopArgv ? [`ExecStop=${execLine(execution.stopArgv)}`] : []),
    `ExecReload=${
      execution.reloadArgv ? execLine(execution.reloadArgv) : "/bin/kill -HUP $MAINPID"
    }`,
    `WorkingDirectory=${quoteText(spec.workDir)}`,
    ...(spec.envFile === null ? [] : [`EnvironmentFile=${quoteText(spec.envFile)}`]),
    ...(execution.user === null ? [] : [`User=${quoteText(execution.user)}`]),
    ...more,
    `Restart=${restart.policy}`,
    `RestartSec=${seconds(restart.backoffMs)}`,
    `TimeoutStartSec=${seconds(START_TIMEOUT_MS)}`,
    `TimeoutStopSec=${seconds(stop.timeoutMs)}`,
    `KillSignal=SIG${stop.signal}`,
    "KillMode=control-group",
    "SendSIGKILL=yes",
    // 128 + SIGINT and SIGTERM: how a shell reports that it ended as asked.
    "SuccessExitStatus=130 143",
    "StandardOutput=journal",
    "StandardError=journal",
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ];
}

/** Whether `unit` can be the name of a unit: systemctl would take others for an option or a pattern. */
export function isUnitName(unit: string): boolean {
  return /^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*$/.test(unit);
}

/** The name of a unit that a client or a manifest gave, or a refusal. */
export function checkedUnit(unit: string): string {
  if (isUnitName(unit)) return unit;
  throw new HarnessError(
    "invalid_params",
    `Cannot use ${JSON.stringify(unit)} as a unit: a name has letters, digits and : _ . \\ @ - ` +
      "and does not begin with -",
    { details: { field: "unit_name" } },
  );
}

/** A command line for `Exec…=`: every argument in double quotes, so that only `%` and `$` need doubling. */
export function execLine(argv: readonly string[]): string {
  return argv.map((word) => {
    refuseNul(word);
    return `"${escapeControl(word.replaceAll("\\", "\\\\").replaceAll('"', '\\"'))}"`
      .replaceAll("%", "%%").replaceAll("$", "$$$$");
  }).join(" ");
}

/** A value that systemd takes up to the line's end: `%` doubled, nothing that could begin a new line. */
function quoteText(value: string): string {
  return oneLine(value).replaceAll("%", "%%");
}

function oneLine(value: string): string {
  refuseNul(value);
  if (/[\r\n]/.test(value)) {
    throw new HarnessError(
      "invalid_params",
      `Cannot write ${JSON.stringify(value)} into a unit: it holds a line end`,
    );
  }
  return value;
}

function escapeControl(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /[\x01-\x1f\x7f]/g,
    (c) => c === "\n" ? "\\n" : c === "\t" ? "\\t" : `\\x${hex(c)}`,
  );
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(2, "0");
}

function refuseNul(text: string): void {
  if (!text.includes("\0")) return;
  throw new HarnessError("invalid_params", "Cannot write a NUL into a unit");
}

function seconds(ms: number): string {
  return String(ms / 1000);
}
