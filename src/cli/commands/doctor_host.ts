/**
 * The checks of `doctor` on a host: one connection, one read-only command.
 *
 * @module
 */
import { HarnessError, messageOf } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { CLI_DOCTOR_TIMEOUT_MS, CLI_LITTLE_SPACE_BYTES } from "../limits.ts";
import { sshHostDirectory } from "../../server/hosts/ssh_directory.ts";
import { hostDirectoryOptions, type SshFlags } from "../flags/ssh_flags.ts";
import { formatSize } from "../../util/units.ts";

/** The result of one check. */
export interface Finding {
  /** What was checked. */
  check: string;
  /** `warn`: worth knowing; `fail`: will not work. */
  status: "ok" | "warn" | "fail";
  /** What was found, and what to do about it. */
  message: string;
  /** Whether the reason is that a host could not be reached. */
  unreachable?: boolean;
}

/** What a deployment needs on a host. */
const NEEDED = ["tar", "gzip", "sha256sum", "awk", "fold", "mkdir", "mv", "ln", "df"];

/** Prints `key=value` lines; `$1` is the install root, `$2…` the commands to find. */
const LOOK = `
root=$1; shift
echo "system=$(uname -sm)"
echo "uid=$(id -u)"
for c in "$@"; do command -v "$c" >/dev/null 2>&1 || echo "missing=$c"; done
if [ -d /run/systemd/system ]; then echo init=systemd; else echo init=other; fi
if command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1; then echo sudo=yes; else echo sudo=no; fi
at=$root; while [ ! -e "$at" ] && [ "$at" != / ]; do at=$(dirname "$at"); done
if [ -w "$at" ]; then echo writable=yes; else echo writable=no; fi
echo "free=$(df -Pk "$at" | awk 'NR==2{print $4}')"
`;

/** Checks one host. */
export async function hostFindings(
  target: string,
  ssh: SshFlags,
  signal: AbortSignal,
): Promise<Finding[]> {
  let executor: Executor;
  const startedAt = Date.now();
  const host = sshHostDirectory(hostDirectoryOptions(ssh)).resolve(target);
  try {
    executor = await host.connect(signal);
  } catch (error) {
    signal.throwIfAborted();
    const unreachable = error instanceof HarnessError && error.code === "unreachable";
    return [{ check: target, status: "fail", message: messageOf(error), unreachable }];
  }
  await using connection = executor;
  const took = `connected in ${Date.now() - startedAt} ms`;
  const result = await connection.run(
    { script: LOOK, args: [host.installRoot, ...NEEDED] },
    { timeoutMs: CLI_DOCTOR_TIMEOUT_MS, signal },
  );
  if (result.exitCode !== 0) {
    const message = `cannot run a POSIX shell there: ${result.stderr.trim()}`;
    return [{ check: target, status: "fail", message }];
  }
  return [
    { check: target, status: "ok", message: took },
    ...findingsFrom(target, host.installRoot, host.become === "sudo", result.stdout),
  ];
}

/** Interprets the output of {@linkcode LOOK}. */
export function findingsFrom(
  target: string,
  installRoot: string,
  withSudo: boolean,
  output: string,
): Finding[] {
  const lines = output.split("\n").map((line) => line.split("=", 2));
  const value = (key: string) => lines.find(([k]) => k === key)?.[1] ?? "";
  const missing = lines.filter(([k]) => k === "missing").map(([, v]) => v);
  const free = Number(value("free")) * 1024;
  const mayWrite = value("writable") === "yes" || value("uid") === "0" ||
    (withSudo && value("sudo") === "yes");
  const findings: Finding[] = [{
    check: `${target} system`,
    status: "ok",
    message: `${value("system")}, ${
      value("init") === "systemd" ? "systemd" : "no systemd: processes are started without it"
    }`,
  }];
  findings.push(
    missing.length === 0
      ? { check: `${target} commands`, status: "ok", message: NEEDED.join(", ") }
      : {
        check: `${target} commands`,
        status: "fail",
        message: `${missing.join(", ")} not found; install them there`,
      },
  );
  findings.push(
    mayWrite
      ? { check: `${target} install root`, status: "ok", message: `${installRoot} can be written` }
      : {
        check: `${target} install root`,
        status: "fail",
        message: value("sudo") === "yes"
          ? `${installRoot} cannot be written; use --become sudo`
          : `${installRoot} cannot be written; change its owner, allow sudo -n, or use --install-root`,
      },
  );
  const little = Number.isFinite(free) && free < CLI_LITTLE_SPACE_BYTES;
  findings.push({
    check: `${target} disk`,
    status: little ? "warn" : "ok",
    message: `${formatSize(free)} free${little ? "; make room" : ""}`,
  });
  return findings;
}
