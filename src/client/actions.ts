/**
 * One method per action, so that editors can list them.
 *
 * @module
 */
import type {
  Action,
  ActionData,
  ActionParams,
  Deployment,
  PackageInfo,
} from "../protocol/actions.ts";
import type { Endpoint, ServiceEntry, ServiceInput } from "../model/service.ts";

/** Actions to call; `client.events()` does `subscribe` and `unsubscribe`. */
export type CallableAction = Exclude<Action, "subscribe" | "unsubscribe">;

/** Options for every call. */
export interface CallOptions {
  /** Aborts: the call fails with `cancelled`. A request that was sent may still be applied. */
  signal?: AbortSignal | undefined;
  /** Timeout. @default {30000, and 300000 for service_action} */
  timeoutMs?: number | undefined;
  /** While reconnecting: waits, within `timeoutMs`, instead of failing at once. @default {false} */
  waitForConnection?: boolean | undefined;
}

/** Which services to list. */
export type ListServicesFilter = Omit<ActionParams<"list_services">, "limit" | "cursor">;

/** One page of a list of services. */
export interface ServicesPage {
  /** The entries, sorted by id. */
  services: ServiceEntry[];
  /** Where the next page begins; `null` on the last. */
  next_cursor: string | null;
  /** The registry's seq at the time of this page. */
  seq: number;
}

/** A method for each action. All errors are `HarnessError`s. */
export abstract class RegistryActions {
  /** Calls an action by its name. */
  abstract call<A extends CallableAction>(
    action: A,
    params: ActionParams<A>,
    options?: CallOptions,
  ): Promise<ActionData<A>>;

  /** The services that match, sorted by id. */
  listServices(
    filter: ListServicesFilter = {},
    options: CallOptions = {},
  ): Promise<ServiceEntry[]> {
    return this.call("list_services", filter, options) as Promise<ServiceEntry[]>;
  }

  /** A page of the services that match, for registries with thousands. */
  listServicesPage(
    page: ListServicesFilter & { limit: number; cursor?: string },
    options: CallOptions = {},
  ): Promise<ServicesPage> {
    return this.call("list_services", page, options) as Promise<ServicesPage>;
  }

  /** One service, by id, or by name when it has one instance. */
  getService(name: string, options: CallOptions = {}): Promise<ServiceEntry> {
    return this.call("get_service", { name }, options);
  }

  /** Registers a service; with `replace`, replaces one of the same id. */
  registerService(
    service: ServiceInput,
    options: CallOptions & { replace?: boolean } = {},
  ): Promise<ServiceEntry> {
    const { replace, ...rest } = options;
    const params = replace === undefined ? { service } : { service, replace };
    return this.call("register_service", params, rest);
  }

  /** Changes the given fields. */
  updateService(
    params: ActionParams<"update_service">,
    options: CallOptions = {},
  ): Promise<ServiceEntry> {
    return this.call("update_service", params, options);
  }

  /**
   * Removes a service from the registry; running processes are left alone. One that the server runs is refused
   * (`conflict`) without `force`.
   */
  async deregisterService(
    name: string,
    options: CallOptions & { ifRevision?: number; force?: boolean } = {},
  ): Promise<void> {
    const { ifRevision: if_revision, force, ...rest } = options;
    await this.call("deregister_service", {
      name,
      ...(if_revision === undefined ? {} : { if_revision }),
      ...(force === undefined ? {} : { force }),
    }, rest);
  }

  /**
   * Renews the lease of a service registered with `ttl_ms`; the first heartbeat makes it `running`.
   * {@linkcode RegistryClient.keepAlive} sends them.
   */
  heartbeat(
    name: string,
    options: CallOptions = {},
  ): Promise<ActionData<"heartbeat">> {
    return this.call("heartbeat", { name }, options);
  }

  /** Starts, stops, restarts or reloads a service; resolves when it is done. */
  serviceAction(
    params: ActionParams<"service_action">,
    options: CallOptions = {},
  ): Promise<ActionData<"service_action">> {
    return this.call("service_action", params, options);
  }

  /** All endpoints by instance id. */
  listEndpoints(options: CallOptions = {}): Promise<Record<string, Endpoint[]>> {
    return this.call("list_endpoints", {}, options);
  }

  /** The endpoints of the usable instances of a service. */
  resolveEndpoint(
    service: string,
    options: CallOptions & { endpoint?: string } = {},
  ): Promise<ActionData<"resolve_endpoint">> {
    const { endpoint, ...rest } = options;
    const params = endpoint === undefined ? { service } : { service, endpoint };
    return this.call("resolve_endpoint", params, rest);
  }

  /** The dependency graph around a service. */
  getDependencies(
    name: string,
    options: CallOptions = {},
  ): Promise<ActionData<"get_dependencies">> {
    return this.call("get_dependencies", { name }, options);
  }

  /** The last log lines of a service. */
  async serviceLogs(
    name: string,
    options: CallOptions & { tail?: number; since?: string } = {},
  ): Promise<string[]> {
    const { tail, since, ...rest } = options;
    const params = {
      name,
      ...(tail === undefined ? {} : { tail }),
      ...(since === undefined ? {} : { since }),
    };
    return (await this.call("service_logs", params, rest)).lines;
  }

  /** Starts a deployment and returns its id at once; `deployment_progress` events follow. */
  async deployPackage(
    params: ActionParams<"deploy_package">,
    options: CallOptions = {},
  ): Promise<string> {
    return (await this.call("deploy_package", params, options)).deployment_id;
  }

  /** One deployment. */
  getDeployment(deploymentId: string, options: CallOptions = {}): Promise<Deployment> {
    return this.call("get_deployment", { deployment_id: deploymentId }, options);
  }

  /** The deployments on record, newest first. */
  listDeployments(
    filter: ActionParams<"list_deployments"> = {},
    options: CallOptions = {},
  ): Promise<Deployment[]> {
    return this.call("list_deployments", filter, options);
  }

  /** Starts no further host and rolls back those in flight. */
  cancelDeployment(deploymentId: string, options: CallOptions = {}): Promise<Deployment> {
    return this.call("cancel_deployment", { deployment_id: deploymentId }, options);
  }

  /** Starts a rollback to the last good (or the given) version and returns its id. */
  async rollbackService(
    params: ActionParams<"rollback_service">,
    options: CallOptions = {},
  ): Promise<string> {
    return (await this.call("rollback_service", params, options)).deployment_id;
  }

  /** Repeats an ended deployment on the hosts where it failed; returns the new id. */
  async resumeDeployment(
    params: ActionParams<"resume_deployment">,
    options: CallOptions = {},
  ): Promise<string> {
    return (await this.call("resume_deployment", params, options)).deployment_id;
  }

  /** The packages on the server. */
  listPackages(options: CallOptions = {}): Promise<PackageInfo[]> {
    return this.call("list_packages", {}, options);
  }
}
