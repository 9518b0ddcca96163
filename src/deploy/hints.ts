/**
 * What a report tells people to look at: how a release is started and where its log is, as one would write it on the
 * host. Pure.
 *
 * @module
 */
import { quote } from "../executor/shell/quote.ts";
import type { ServiceSpec } from "../lifecycle/service_spec.ts";
import { unitName } from "../lifecycle/drivers/systemd/generated/unit.ts";

/** The command that starts a release; nothing of its environment is in it. */
export function startHint(spec: ServiceSpec, systemd: boolean): string {
  const { execution } = spec;
  switch (execution.type) {
    case "managed_process":
      return systemd ? `systemctl start ${unitName(spec.name)}` : quote(execution.argv);
    case "docker_container": {
      const ports = spec.ports.flatMap(({ port, protocol }) => [
        "-p",
        `${port}:${port}${protocol === "udp" ? "/udp" : ""}`,
      ]);
      return quote(["docker", "run", "--name", execution.container, ...ports, execution.image]);
    }
    case "systemd_service":
    case "systemd_portable":
      return quote(["systemctl", "start", execution.unit]);
  }
}

/** Where the log of a release is on its host: a file, or the command that prints it. */
export function logHint(spec: ServiceSpec, systemd: boolean): string {
  const { execution } = spec;
  switch (execution.type) {
    case "managed_process":
      return systemd ? `journalctl -u ${unitName(spec.name)}` : `${spec.logDir}/${spec.name}.log`;
    case "docker_container":
      return quote(["docker", "logs", execution.container]);
    case "systemd_service":
    case "systemd_portable":
      return quote(["journalctl", "-u", execution.unit]);
  }
}
