/**
 * What a generated unit confines a service with: systemd's own sandboxing, switched by the manifest.
 *
 * @module
 */
import type { HardeningName, HardeningSpec } from "../../../../package/manifest/manifest.ts";
import { HARDENING_DEFAULTS } from "../../../../package/manifest/manifest.ts";

/** The unit's lines of each setting. */
const LINES: Readonly<Record<HardeningName, string>> = {
  no_new_privileges: "NoNewPrivileges=yes",
  private_tmp: "PrivateTmp=yes",
  protect_system: "ProtectSystem=full",
  protect_kernel_tunables: "ProtectKernelTunables=yes",
  protect_kernel_modules: "ProtectKernelModules=yes",
  protect_kernel_logs: "ProtectKernelLogs=yes",
  protect_control_groups: "ProtectControlGroups=yes",
  protect_hostname: "ProtectHostname=yes",
  restrict_suid_sgid: "RestrictSUIDSGID=yes",
  restrict_realtime: "RestrictRealtime=yes",
  lock_personality: "LockPersonality=yes",
  system_call_architectures: "SystemCallArchitectures=native",
  // Calls that only root may make; they fail as they do for a user.
  system_call_filter:
    "SystemCallFilter=~@module @raw-io @reboot @swap\nSystemCallErrorNumber=EPERM",
  protect_clock: "ProtectClock=yes",
  protect_home: "ProtectHome=yes",
  protect_proc: "ProtectProc=invisible",
  private_devices: "PrivateDevices=yes",
  restrict_namespaces: "RestrictNamespaces=yes",
  memory_deny_write_execute: "MemoryDenyWriteExecute=yes",
};

/** Settings that, with `User=`, make systemd set NoNewPrivileges even if the unit does not. */
const IMPLY_NO_NEW_PRIVILEGES: ReadonlySet<HardeningName> = new Set<HardeningName>([
  "protect_kernel_tunables",
  "protect_kernel_modules",
  "protect_kernel_logs",
  "protect_hostname",
  "restrict_suid_sgid",
  "restrict_realtime",
  "lock_personality",
  "system_call_architectures",
  "system_call_filter",
  "protect_clock",
  "private_devices",
  "restrict_namespaces",
  "memory_deny_write_execute",
]);

/** Directories that `ProtectSystem=full` makes read-only. */
const SYSTEM_DIRS = /^\/(?:usr|etc|boot|efi)(?:\/|$)/;

/** What {@linkcode hardeningLines} builds on. */
export interface HardeningInput {
  /** The manifest's choice; `undefined` and `false` confine nothing. */
  hardening: HardeningSpec | undefined;
  /** User of the unit, or `null` for root. */
  user: string | null;
  /** Ports that it listens on. */
  ports: readonly { port: number }[];
  /** Working directory: the release. */
  workDir: string;
}

/** The lines of the section `[Service]` that confine the service. */
export function hardeningLines(input: HardeningInput): string[] {
  const { hardening, ports, workDir } = input;
  if (hardening === undefined || hardening === false) return [];
  const user = input.user === "root" ? null : input.user;
  const on: Record<HardeningName, boolean> = { ...HARDENING_DEFAULTS, ...hardening };
  // Installed where the system is: its data are there as well.
  if (SYSTEM_DIRS.test(workDir)) on.protect_system = false;
  if (user === null) on.system_call_filter = false;
  if (user !== null && !on.no_new_privileges) {
    for (const name of IMPLY_NO_NEW_PRIVILEGES) on[name] = false;
  }
  const names = Object.keys(LINES) as HardeningName[];
  return [
    ...names.filter((name) => on[name]).map((name) => LINES[name]),
    ...(user !== null && on.no_new_privileges ? capabilityLines(ports) : []),
  ];
}

/** A user without new privileges has none but, for a port below 1024, the one that its ports need. */
function capabilityLines(ports: readonly { port: number }[]): string[] {
  if (!ports.some(({ port }) => port < 1024)) return ["CapabilityBoundingSet="];
  return [
    "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
    "AmbientCapabilities=CAP_NET_BIND_SERVICE",
  ];
}
