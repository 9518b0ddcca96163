/**
 * Progress events of a deployment, and the interface of the views that show them.
 *
 * @module
 */
import type { DeploymentProgressData } from "../../../model/deployment.ts";
import { formatSize } from "../../../util/units.ts";

/** One progress event: the data of `deployment_progress`, from the server or from a direct deployment. */
export type Progress = Omit<DeploymentProgressData, "id">;

/** Shows a deployment as it runs. */
export interface ProgressView {
  /** Shows one event. */
  show(progress: Progress): void;
  /** Ends it: nothing is shown afterwards. `erased` when a table of the same hosts follows on the same terminal. */
  end(how?: "kept" | "erased"): void;
}

/** The text of an event besides its step: the error, the message, or the bytes transferred. */
export function noteOf(progress: Progress): string {
  if (progress.error !== undefined) return progress.error.message;
  if (progress.message !== undefined) return progress.message;
  if (progress.bytes === undefined) return "";
  const of = progress.total_bytes === undefined ? "" : ` of ${formatSize(progress.total_bytes)}`;
  return `${formatSize(progress.bytes)}${of}`;
}
