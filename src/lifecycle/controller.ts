/**
 * Picks the controller that fits a service and its machine.
 *
 * @module
 */
import type { Executor } from "../executor/executor.ts";
import { LOOK_TIMEOUT_MS } from "../model/limits.ts";
import { DockerController } from "./drivers/docker/controller.ts";
import { ProcessController } from "./drivers/process/controller.ts";
import type { ProcessSpec } from "./drivers/process/commands.ts";
import type {
  Controller,
  ControlOptions,
  LogOptions,
  Occupant,
  ServiceSpec,
  ServiceStatus,
} from "./service_spec.ts";
import { SystemdController } from "./drivers/systemd/controller.ts";

/** Options for {@linkcode createController}. */
export interface ControllerOptions {
  /**
   * Whether a managed process runs as a systemd unit. Left out: yes where PID 1 is systemd and we are root
   * there, found out at the first call.
   */
  systemd?: boolean;
  /** Time for the start of a managed process without systemd. @default {START_TIMEOUT_MS} */
  startTimeoutMs?: number;
}

/** The controller for `spec` on the machine of `executor`. It keeps no state of its own: make one whenever needed. */
export function createController(
  executor: Executor,
  spec: ServiceSpec,
  options: ControllerOptions = {},
): Controller {
  const { execution } = spec;
  switch (execution.type) {
    case "docker_container":
      return new DockerController(executor, { ...spec, execution });
    case "systemd_service":
    case "systemd_portable":
      return SystemdController.known(executor, { ...spec, execution });
    case "managed_process": {
      const process: ProcessSpec = { ...spec, execution };
      if (options.systemd === undefined) return new DetectingController(executor, process, options);
      return options.systemd
        ? SystemdController.generated(executor, process)
        : new ProcessController(executor, process, options.startTimeoutMs);
    }
  }
}

/** Whether PID 1 of the machine is systemd and we may give it units. */
export async function usesSystemd(
  executor: Executor,
  options: ControlOptions = {},
): Promise<boolean> {
  const script =
    '[ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] && command -v systemctl >/dev/null';
  const result = await executor.run({ name: "systemd/detect", script }, {
    timeoutMs: LOOK_TIMEOUT_MS,
    ...options,
  });
  return result.exitCode === 0;
}

/** Finds out at the first call which of the two controllers for a process is the right one. */
class DetectingController implements Controller {
  readonly #executor: Executor;
  readonly #spec: ProcessSpec;
  readonly #options: ControllerOptions;
  #found: Controller | null = null;

  constructor(executor: Executor, spec: ProcessSpec, options: ControllerOptions) {
    this.#executor = executor;
    this.#spec = spec;
    this.#options = options;
  }

  async start(options: ControlOptions = {}): Promise<ServiceStatus> {
    return await (await this.#controller(options)).start(options);
  }

  async stop(options: ControlOptions = {}): Promise<ServiceStatus> {
    return await (await this.#controller(options)).stop(options);
  }

  async reload(options: ControlOptions = {}): Promise<ServiceStatus> {
    return await (await this.#controller(options)).reload(options);
  }

  async status(options: ControlOptions = {}): Promise<ServiceStatus> {
    return await (await this.#controller(options)).status(options);
  }

  async occupant(options: ControlOptions = {}): Promise<Occupant | null> {
    return await (await this.#controller(options)).occupant(options);
  }

  async logs(lines: number, options: LogOptions = {}): Promise<string[]> {
    return await (await this.#controller(options)).logs(lines, options);
  }

  async *follow(options: ControlOptions = {}): AsyncGenerator<string> {
    yield* (await this.#controller(options)).follow(options);
  }

  async #controller(options: ControlOptions): Promise<Controller> {
    this.#found ??= createController(this.#executor, this.#spec, {
      ...this.#options,
      systemd: await usesSystemd(this.#executor, options),
    });
    return this.#found;
  }
}
