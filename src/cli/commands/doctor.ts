/**
 * `doctor`: checks for common problems and reports what to do about them. Changes nothing.
 *
 * @module
 */
import type { Command } from "../command_line/command.ts";
import { constants } from "node:fs";
import { access, open, stat } from "node:fs/promises";
import { dirname, resolve as absolute } from "node:path";
import process from "node:process";
import { HarnessError, messageOf } from "../../errors.ts";
import { CLIENT_FLAGS, openSession } from "../session/connect.ts";
import { addHandler, type Context, type Io } from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { addFlags, type FlagTable, listFlag, readFlags, textFlag } from "../flags/flags.ts";
import { SSH_FLAGS } from "../flags/ssh_flags.ts";
import { unreadable } from "../flags/secrets.ts";
import type { Finding } from "./doctor_host.ts";
import { defaultStateDir } from "../server_process/state_dir.ts";
import { type Color, printHanging, printJson } from "../output/table.ts";
import { parseTarget } from "../../model/target.ts";
import { hintFor } from "../output/hints.ts";
import { hasErrorCode } from "../../util/node/files.ts";
import { ownUid, runtimeText } from "../../util/node/runtime.ts";

const DOCTOR_FLAGS = {
  host: listFlag("[user@]host[:port]", { help: "a host to check too" }, (text) => text),
  stateDir: textFlag("dir", {
    env: "HARNESS_STATE_DIR",
    help: "state directory that the server would use",
  }),
} satisfies FlagTable;

const COLORS: Record<Finding["status"], Color> = { ok: "green", warn: "yellow", fail: "red" };

/** Declares the command. */
export function declareDoctor(command: Command, context: Context): void {
  addFlags(command, DOCTOR_FLAGS);
  addFlags(command, SSH_FLAGS, "SSH:");
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given) => doctor(context, given as Record<string, unknown>));
}

async function doctor(context: Context, given: Record<string, unknown>): Promise<number> {
  const { io } = context;
  const flags = readFlags(DOCTOR_FLAGS, given, io);
  const ssh = readFlags(SSH_FLAGS, given, io);
  // Malformed hosts are reported before the checks begin.
  flags.host.forEach((host) => parseTarget(host));
  const { json } = readFlags(CLIENT_FLAGS, given, io);
  const findings: Finding[] = [];
  const add = (finding: Finding) => {
    findings.push(finding);
    if (json) printJson(io, finding);
    else print(io, finding);
  };
  add({
    check: "runtime",
    status: "ok",
    message: `${runtimeText()} on ${process.platform} ${process.arch}`,
  });
  add(await stateDirFinding(io, flags.stateDir));
  add(await serverFinding(context, given));
  for (const key of ssh.identity) add(await identityFinding(key));
  if (ssh.knownHosts !== null) {
    add(await readableFinding("known_hosts", "--known-hosts", ssh.knownHosts));
  }
  if (ssh.sshConfig !== null && ssh.sshConfig !== "none") {
    add(await readableFinding("ssh_config", "--ssh-config", ssh.sshConfig));
  }
  if (flags.host.length > 0) {
    const { hostFindings } = await import("./doctor_host.ts");
    for (const host of flags.host) {
      for (const finding of await hostFindings(host, ssh, io.interrupted)) add(finding);
    }
  }
  io.interrupted.throwIfAborted();
  return exitCode(findings);
}

/** 4 when nothing failed but the way to hosts. */
export function exitCode(findings: readonly Finding[]): number {
  const failed = findings.filter((finding) => finding.status === "fail");
  if (failed.length === 0) return EXIT.ok;
  return failed.every((finding) => finding.unreachable === true) ? EXIT.unreachable : EXIT.failure;
}

function print(io: Io, { check, status, message }: Finding): void {
  // What works is no news to whoever wants it quiet.
  if (io.quiet && status === "ok") return;
  printHanging(
    io,
    { text: `${status.padEnd(4)}  `, color: COLORS[status] },
    `${check}: ${message}`,
  );
}

async function stateDirFinding(io: Io, given: string | null): Promise<Finding> {
  const check = "state directory";
  const dir = absolute(defaultStateDir(given, io.env, ownUid()));
  // It is made when it is missing, so what counts is the nearest directory that exists.
  for (let at = dir;; at = dirname(at)) {
    try {
      if (!(await stat(at)).isDirectory()) {
        return {
          check,
          status: "fail",
          message: `${at} is a file; choose another with --state-dir`,
        };
      }
      await access(at, constants.R_OK | constants.W_OK | constants.X_OK);
      const note = at === dir ? "" : " (will be made)";
      return { check, status: "ok", message: `${dir}${note}` };
    } catch (error) {
      if (hasErrorCode(error, "ENOENT") && at !== dirname(at)) continue;
      const message = `${at} cannot be written: ${
        messageOf(error)
      }; choose another with --state-dir`;
      return { check, status: "fail", message };
    }
  }
}

async function serverFinding(context: Context, given: Record<string, unknown>): Promise<Finding> {
  const check = "server";
  try {
    await using session = await openSession(context, given);
    const { server, capabilities, seq } = session.client.hello;
    const message = `${session.flags.url}: ${server.name} ${server.version}, seq ${seq}, can ${
      capabilities.join(", ")
    }`;
    return { check, status: "ok", message };
  } catch (error) {
    const refused = error instanceof HarnessError && error.code !== "unreachable";
    const hint = error instanceof HarnessError ? hintFor(error) : null;
    const message = `${messageOf(error)}${hint === null ? "" : `; ${hint}`}`;
    return { check, status: refused ? "fail" : "warn", message };
  }
}

async function identityFinding(path: string): Promise<Finding> {
  const check = `key ${path}`;
  const readable = await readableFinding(check, "--identity", path);
  if (readable.status !== "ok") return readable;
  const { mode } = await stat(path);
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8);
    return {
      check,
      status: "warn",
      message: `mode ${shown}: others may read it; chmod 600 ${path}`,
    };
  }
  return readable;
}

async function readableFinding(check: string, place: string, path: string): Promise<Finding> {
  try {
    await (await open(path, "r")).close();
    return { check, status: "ok", message: path };
  } catch (error) {
    return { check, status: "fail", message: messageOf(unreadable({ place, path }, error)) };
  }
}
