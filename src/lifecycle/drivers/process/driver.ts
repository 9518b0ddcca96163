/**
 * Managed processes on machines without systemd, and what a managed process is wherever it runs.
 *
 * @module
 */
import { quote } from "../../../executor/shell/quote.ts";
import type { Driver, ObservedStatus } from "../driver.ts";
import { PROCESS_FUNCTIONS } from "../shell/library.ts";
import { parseProcessStatus, startCommand, stopCommand } from "./commands.ts";
import { ProcessController } from "./controller.ts";
import status from "./status.sh" with { type: "text" };

/** How a managed process comes from a manifest or the registry, and back: the same with and without systemd. */
export const MANAGED_PROCESS: Pick<
  Driver<"managed_process", "managed_process">,
  "isolated" | "fromManifest" | "plannedEntry" | "fromEntry" | "toEntry"
> = {
  isolated: false,
  fromManifest({ manifest: { service }, dir, files }) {
    return {
      type: "managed_process",
      argv: [`${dir}/scripts/start.sh`],
      start: service.start,
      stopArgv: files.stopScript ? [`${dir}/scripts/stop.sh`] : null,
      reloadArgv: files.reloadScript ? [`${dir}/scripts/reload.sh`] : null,
      user: service.user,
      // The manifests that an earlier version recorded lack it.
      hardening: service.hardening ?? {},
    };
  },
  plannedEntry: (_manifest, dir) => ({
    type: "managed_process",
    command: `${dir}/scripts/start.sh`,
    args: [],
    pid: null,
  }),
  fromEntry: ({ command, args }) => ({
    type: "managed_process",
    argv: [command, ...args],
    start: "foreground",
    stopArgv: null,
    reloadArgv: null,
    user: null,
  }),
  toEntry({ argv: [command, ...args] }, { pid }) {
    return { type: "managed_process", command, args, pid };
  },
};

/** A managed process in a session of its own. */
export const processDriver: Driver<"managed_process", "managed_process"> = {
  ...MANAGED_PROCESS,
  restartsItself: false,
  status: {
    section: "process",
    script: PROCESS_FUNCTIONS + status,
    read(text, asked) {
      const found = new Map<number, ObservedStatus>();
      for (const [, index, line] of text.matchAll(/^(\d+) (.*)$/gm)) {
        if (!asked.has(Number(index))) continue;
        const status = parseProcessStatus(line ?? "");
        found.set(Number(index), { ...status, restarting: false, restarts: null });
      }
      return found;
    },
  },
  statusQuery: ({ runDir, name }) => [runDir, name],
  watchPoint: ({ runDir, name }) => ({ kind: "pid_file", value: `${runDir}/${name}.pid` }),
  controller: (executor, spec, settings) => new ProcessController(executor, spec, settings),
  startCommand: (spec) => startCommand(spec),
  stopCommand,
  startHint: ({ execution }) => quote(execution.argv),
  logHint: ({ logDir, name }) => `${logDir}/${name}.log`,
};
