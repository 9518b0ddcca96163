/**
 * `package inspect`: prints the content of a package.
 *
 * @module
 */
import type { Manifest } from "../../../package/manifest/manifest.ts";
import type { PackageSummary } from "../../../package/read.ts";
import type { Io } from "../../context.ts";
import { readPackage } from "./file.ts";
import { printFacts, printJson, printTable } from "../../output/table.ts";
import { formatDuration, formatSize } from "../../../util/units.ts";

/** Prints what is in a package, after checking it whole. */
export async function inspectCommand(
  io: Io,
  file: string,
  options: { json: boolean },
): Promise<void> {
  const summary = await readPackage(file, { signal: io.interrupted });
  if (options.json) return printJson(io, asJson(summary));
  printFacts(io, facts(summary));
  io.out("\n");
  printTable(io, {
    head: ["MODE", "SIZE", "PATH"],
    rows: summary.entries.map((entry) => [
      entry.mode.toString(8).padStart(4, "0"),
      entry.type === "file" ? formatSize(entry.size) : entry.type,
      entry.type === "symlink" ? `${entry.path} -> ${entry.target}` : entry.path,
    ]),
  });
}

/** The summary in the field style of the wire. */
function asJson(summary: PackageSummary): Record<string, unknown> {
  const { manifest, path, sha256, size, unpackedBytes, entries } = summary;
  return {
    file: path,
    name: manifest.name,
    version: manifest.version,
    sha256,
    size,
    unpacked_bytes: unpackedBytes,
    manifest,
    entries: entries.map(({ path, type, mode, size }) => ({ path, type, mode, size })),
  };
}

function facts({ manifest, sha256, size, unpackedBytes }: PackageSummary): Array<[string, string]> {
  const { service } = manifest;
  const ports = service.ports.map((port) => `${port.name} ${port.protocol} ${port.port}`);
  const rows: Array<[string, string]> = [
    ["name", manifest.name],
    ["version", manifest.version],
    ["description", manifest.description],
    ["sha256", sha256],
    ["size", `${formatSize(size)}, ${formatSize(unpackedBytes)} unpacked`],
    ["runs as", `${service.type}, ${service.start}${service.user ? `, user ${service.user}` : ""}`],
    ["ports", ports.join(", ")],
    ["env", envText(manifest)],
    ["depends on", manifest.dependsOn.join(", ")],
    ["requires", [...manifest.requires.commands, ...manifest.requires.libraries].join(", ")],
    ["arch", manifest.requires.arch.join(", ")],
    ["health", healthText(manifest)],
    ["restart", `${manifest.restart.policy}, at most ${manifest.restart.maxRetries} in a row`],
    ["stop", `${manifest.stop.signal}, killed after ${formatDuration(manifest.stop.timeoutMs)}`],
  ];
  return rows.filter(([, value]) => value !== "");
}

function envText(manifest: Manifest): string {
  return Object.entries(manifest.env).map(([name, env]) => {
    if (env.secret) return `${name} (secret)`;
    return env.required && env.value === null ? `${name} (required)` : `${name}=${env.value ?? ""}`;
  }).join(", ");
}

function healthText({ health }: Manifest): string {
  if (health === null) return "";
  const { probe } = health;
  const what = probe.type === "script"
    ? probe.script
    : probe.type === "http"
    ? `http ${probe.port}${probe.path}`
    : `tcp ${probe.port}`;
  return `${what} every ${formatDuration(health.intervalMs)}`;
}
