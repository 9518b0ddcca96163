/** Only checked, from the source and in a project with the package for npm: the types of all entry points are there. */
import { MemoryStore, Registry } from "@harness/service-registry";
import { RegistryClient } from "@harness/service-registry/client";
import { deploy } from "@harness/service-registry/deploy";
import { localExecutor } from "@harness/service-registry/executor";
import { createController } from "@harness/service-registry/lifecycle";
import { buildPackage } from "@harness/service-registry/package";
import { parseTarget } from "@harness/service-registry/protocol";
import { applyEvent } from "@harness/service-registry/registry";
import { ConnectionHandler } from "@harness/service-registry/server";

/** Without types each of these would be `any`, and the comment above it an error. */
export async function check(): Promise<unknown[]> {
  const registry = await Registry.open(new MemoryStore());
  // @ts-expect-error A class is no number.
  const client: number = RegistryClient;
  // @ts-expect-error A function is no number.
  const deployed: number = deploy;
  // @ts-expect-error An executor is no number.
  const executor: number = localExecutor();
  // @ts-expect-error A function is no number.
  const controller: number = createController;
  // @ts-expect-error A promise is no number.
  const built: number = buildPackage("", { outDir: "" });
  // @ts-expect-error A target is no number.
  const target: number = parseTarget("local");
  // @ts-expect-error A function is no number.
  const apply: number = applyEvent;
  // @ts-expect-error A handler is no number.
  const handler: number = new ConnectionHandler({ registry });
  // @ts-expect-error A state is no number.
  const state: number | undefined = registry.list()[0]?.state;
  return [client, deployed, executor, controller, built, target, apply, handler, state];
}
