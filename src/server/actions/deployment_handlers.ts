/**
 * Handlers of the actions on deployments and packages.
 *
 * @module
 */
import type { DeploymentActions } from "../../protocol/actions.ts";
import { outsideScope, requireServiceInScope, type ServiceScope } from "../access/scope.ts";
import { parsePackageFile } from "../packages/package_files.ts";
import { type ActionBackends, type ActionHandlers, filtered, required } from "./action_handler.ts";

async function ofDeployment(
  { deployment_id }: { deployment_id: string },
  scope: ServiceScope,
  { deployments }: ActionBackends,
): Promise<void> {
  const deployment = await deployments?.get({ deployment_id });
  if (deployment !== undefined && !scope.covers(deployment.service)) {
    throw outsideScope(deployment_id);
  }
}

/** The handlers of the actions on deployments and packages. */
export const DEPLOYMENT_HANDLERS: ActionHandlers<DeploymentActions> = {
  deploy_package: {
    scope: ({ package: reference }, scope) => {
      // Its manifest is checked later: this is so that nothing is revealed of packages outside.
      const at = reference.lastIndexOf("@");
      const name = parsePackageFile(reference)?.name ?? reference.slice(0, Math.max(0, at));
      if (!scope.coversPackage(name)) throw outsideScope(reference);
    },
    run: (params, { deployments }, context) =>
      required(deployments, "deploy_package", "deploy").deploy(params, context),
  },
  get_deployment: {
    scope: ofDeployment,
    run: (params, { deployments }) => required(deployments, "get_deployment", "deploy").get(params),
  },
  list_deployments: {
    scope: filtered,
    run: async (params, backends, { scope }) => {
      const deployments = required(backends.deployments, "list_deployments", "deploy");
      if (scope === undefined) return backends.answers.items(await deployments.list(params));
      const { limit, ...filter } = params;
      const covered = (await deployments.list(filter)).filter((one) => scope.covers(one.service));
      return backends.answers.items(covered.slice(0, limit));
    },
  },
  cancel_deployment: {
    scope: ofDeployment,
    run: (params, { deployments }, context) =>
      required(deployments, "cancel_deployment", "deploy").cancel(params, context),
  },
  rollback_service: {
    scope: ({ name }, scope, { registry }) => requireServiceInScope(name, scope, registry),
    run: (params, { deployments }, context) =>
      required(deployments, "rollback_service", "deploy").rollback(params, context),
  },
  resume_deployment: {
    scope: ofDeployment,
    run: (params, { deployments }, context) =>
      required(deployments, "resume_deployment", "deploy").resume(params, context),
  },
  list_packages: {
    scope: filtered,
    run: async (_, backends, { scope }) => {
      const packages = await required(backends.packages, "list_packages", "packages").list();
      return backends.answers.items(
        packages.filter(({ name }) => scope?.coversPackage(name) ?? true),
      );
    },
  },
};
