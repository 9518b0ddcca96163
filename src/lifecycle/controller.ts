/**
 * The controller that fits a service and its machine.
 *
 * @module
 */
import type { Executor } from "../executor/executor.ts";
import { STATUS_TIMEOUT_MS } from "../model/limits.ts";
import type { ControllerOptions } from "./drivers/driver.ts";
import { USES_SYSTEMD } from "./drivers/shell/library.ts";
import { dependsOnSystemd, driverFor } from "./drivers/table.ts";
import type {
  Controller,
  ControlOptions,
  LogOptions,
  Occupant,
  ServiceSpec,
  ServiceStatus,
} from "./service_spec.ts";

/** The controller for `spec` on the machine of `executor`. It keeps no state of its own: make one whenever needed. */
export function createController(
  executor: Executor,
  spec: ServiceSpec,
  options: ControllerOptions = {},
): Controller {
  if (options.systemd === undefined && dependsOnSystemd(spec.execution)) {
    return new DetectingController(executor, spec, options);
  }
  return driverFor(spec.execution, options.systemd).controller(executor, spec, options);
}

/** Whether PID 1 of the machine is systemd and we may give it units. */
export async function usesSystemd(
  executor: Executor,
  options: ControlOptions = {},
): Promise<boolean> {
  const script = `${USES_SYSTEMD}h_uses_systemd\n`;
  const result = await executor.run({ name: "systemd/detect", script }, {
    timeoutMs: STATUS_TIMEOUT_MS,
    ...options,
  });
  return result.exitCode === 0;
}

/** Finds out at the first call which of the two controllers for a process is the right one. */
class DetectingController implements Controller {
  readonly #executor: Executor;
  readonly #spec: ServiceSpec;
  readonly #options: ControllerOptions;
  #found: Controller | null = null;

  constructor(executor: Executor, spec: ServiceSpec, options: ControllerOptions) {
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
