/**
 * The text of the unit that systemd runs a managed process by: a pure function.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import { START_TIMEOUT_MS } from "../limits.ts";
import type { ProcessSpec } from "./process_commands.ts";

/** Time that is added to a unit's restart pauses to make the window in which restarts are counted. */
const RESTART_WINDOW_MS = 60_000;

/** The name of the unit for service `name`. */
export function unitName(name: string): string {
  return `harness-${name}.service`;
}

/** The unit's text. */
export function unitText(spec: ProcessSpec): string {
  const { execution, restart, stop } = spec;
  const daemon = execution.start === "daemon";
  // Burst counts starts: the first one and the restarts after it.
  const windowMs = restart.backoffMs * (restart.maxRetries + 1) + RESTART_WINDOW_MS;
  const lines = [
    "# Made by harness-ws-server; written anew at each start.",
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
  return lines.join("\n");
}

/** A command line for `Exec…=`: every word in double quotes, so that only `%` and `$` need doubling. */
export function execLine(argv: readonly string[]): string {
  return argv.map((word) => {
    refuseNul(word);
    return `"${escapeControl(word.replaceAll("\\", "\\\\").replaceAll('"', '\\"'))}"`
      .replaceAll("%", "%%").replaceAll("$", "$$$$");
  }).join(" ");
}

/** A value that systemd takes up to the line's end: `%` doubled, nothing that could begin a new line. */
function quoteText(value: string): string {
  refuseNul(value);
  if (/[\r\n]/.test(value)) {
    throw new HarnessError(
      "invalid_params",
      `Cannot write ${JSON.stringify(value)} into a unit: it holds a line end`,
    );
  }
  return value.replaceAll("%", "%%");
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
