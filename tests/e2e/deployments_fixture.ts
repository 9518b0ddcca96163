/** What the tests of deployments through a server share. */
import type { ControlServer } from "../helpers/control_server.ts";
import { type Frame, RawClient } from "../helpers/raw_client.ts";

/** Connects and subscribes to the progress of deployments. */
export async function connect(server: ControlServer): Promise<RawClient> {
  const client = await RawClient.ready(server.url, { deadlineMs: 60_000 });
  await client.call("subscribe", { events: ["deployment_progress"] });
  return client;
}

/** Waits for the last event of a deployment. */
export async function finish(client: RawClient, deploymentId: string): Promise<Frame> {
  for (;;) {
    const { data } = await client.event("deployment_progress");
    const last = data.host === null && data.step === "finish";
    if (data.deployment_id === deploymentId && last) return data;
  }
}
