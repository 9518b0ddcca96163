/**
 * `service_logs`: a few reads at a time, equal ones shared, none for clients that have gone.
 *
 * Each is a command on the service's machine, over the connection that deployments to it use.
 *
 * @module
 */
import { Semaphore } from "async-mutex";
import { HarnessError } from "../../errors.ts";
import type { ActionData, ActionParams } from "../../protocol/actions.ts";
import type { CallContext, Services } from "../backends.ts";
import { MAX_LOG_READS } from "../limits.ts";

/** Who asks for a log. */
export interface LogAsker extends CallContext {
  /** Whether nobody is there any more to be answered. */
  readonly isGone?: boolean;
}

type Logs = ActionData<"service_logs">;

interface Read {
  readonly askers: LogAsker[];
  readonly result: Promise<Logs>;
}

/** Reads logs for all connections of a server. */
export class LogReads {
  readonly #services: Services;
  readonly #slots: Semaphore;
  /** Reads that have not begun, by what they ask for: who comes later would miss lines of one that has. */
  readonly #waiting = new Map<string, Read>();

  /** Reads through `services`. */
  constructor(services: Services, maxReads: number = MAX_LOG_READS) {
    this.#services = services;
    this.#slots = new Semaphore(maxReads);
  }

  /** The last lines of a service's log. @throws what `Services.logs` throws. */
  read(params: ActionParams<"service_logs">, asker: LogAsker): Promise<Logs> {
    const key = JSON.stringify([params.name, params.tail]);
    const known = this.#waiting.get(key);
    if (known !== undefined) {
      known.askers.push(asker);
      return known.result;
    }
    const askers = [asker];
    const result = this.#slots.runExclusive(async () => {
      this.#waiting.delete(key);
      if (askers.every(({ isGone }) => isGone === true)) {
        throw new HarnessError("cancelled", "Stopped reading a log: whoever asked for it has gone");
      }
      return await this.#services.logs(params, asker);
    });
    this.#waiting.set(key, { askers, result });
    return result;
  }
}
