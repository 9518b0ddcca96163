/**
 * Interfaces of what the server uses for deployments, lifecycle, packages and documents.
 *
 * Small, so that the protocol side depends on none of the machinery behind them and each can be left out: an
 * action whose backend is missing answers `unavailable`, and `hello.capabilities` does not list it.
 *
 * @module
 */
import type { Manifest } from "../package/manifest/manifest.ts";
import type { ActionData, ActionParams, PackageInfo } from "../protocol/actions.ts";
import type { ServiceScope } from "./access/scope.ts";

/** Per-call context: the client, and when to stop. */
export interface CallContext {
  /** Aborted when the server shuts down. A disconnecting client does not abort anything. */
  signal: AbortSignal;
  /** The client: the kind or the name of its token, or `anonymous`. */
  by: string;
  /** The client's IP address, where the listener knows it. */
  address?: string | undefined;
  /** The services that its token is limited to. Left out: all. */
  scope?: ServiceScope | undefined;
}

/** The client as text for the log. */
export function callerText({ by, address }: Pick<CallContext, "by" | "address">): string {
  return address === undefined ? by : `${by} (${address})`;
}

/** Which instances are the server's own: clients without a token may not change those. */
export interface ServiceOwnership {
  /** Whether the server has deployed or started an instance, or a deployment works on it. */
  manages(id: string): boolean;
  /** Whether it {@linkcode ServiceOwnership.manages} an instance of a name. */
  managesName(name: string): boolean;
}

/** Starts, stops and reads the logs of services: capability `lifecycle`. */
export interface Services {
  /** Runs a `service_action` and resolves when it has taken effect. */
  act(
    params: ActionParams<"service_action">,
    context: CallContext,
  ): Promise<ActionData<"service_action">>;
  /** The last lines of a service's log. */
  logs(
    params: ActionParams<"service_logs">,
    context: CallContext,
  ): Promise<ActionData<"service_logs">>;
  /**
   * New lines of an instance's log as they are written, until `signal` aborts. The server calls it once per
   * instance, however many connections follow it.
   */
  follow(id: string, signal: AbortSignal): AsyncIterable<string>;
  /** Which instances are the server's own. @default {none} */
  readonly ownership?: ServiceOwnership;
}

/** Deployments: capability `deploy`. */
export interface Deployments {
  /** Starts a deployment and returns its id at once; progress is published by `registry.publish`. */
  deploy(
    params: ActionParams<"deploy_package">,
    context: CallContext,
  ): Promise<ActionData<"deploy_package">>;
  /** One deployment. */
  get(params: ActionParams<"get_deployment">): Promise<ActionData<"get_deployment">>;
  /** All kept deployments, newest first. */
  list(params: ActionParams<"list_deployments">): Promise<ActionData<"list_deployments">>;
  /** Stops starting hosts and rolls back those in flight. */
  cancel(
    params: ActionParams<"cancel_deployment">,
    context: CallContext,
  ): Promise<ActionData<"cancel_deployment">>;
  /** Starts an ended deployment again on the hosts where it did not end well. */
  resume(
    params: ActionParams<"resume_deployment">,
    context: CallContext,
  ): Promise<ActionData<"resume_deployment">>;
  /** Starts a deployment of the last good (or the given) version. */
  rollback(
    params: ActionParams<"rollback_service">,
    context: CallContext,
  ): Promise<ActionData<"rollback_service">>;
}

/** Options for {@linkcode Packages.put}. */
export interface PutPackageOptions {
  /** Expected SHA-256 of the content, lower-case hex. */
  sha256?: string;
  /** Replace a package of the same name and version that has other bytes. @default {false} */
  force?: boolean;
  /** Announced size in bytes. One over the limit or the free space is refused at once. */
  size?: number;
  /** IP address of the sender: one address gets only a part of the upload slots. */
  address?: string;
  /** Cancels the upload and removes what was written so far. */
  signal?: AbortSignal;
  /** Text of its minisign signature, kept beside it. */
  signature?: string;
}

/** A package that was checked right before its deployment. */
export interface CheckedPackage {
  /** Its manifest. */
  manifest: Manifest;
  /** SHA-256 of the checked bytes, hex. */
  sha256: string;
  /** Number of checked bytes. */
  size: number;
  /** By them the bytes are recognised when they are sent; without them every host checks the package itself. */
  prefixes?: Uint8Array | undefined;
}

/** Package store: capability `packages`. */
export interface Packages {
  /** All packages, sorted by file name. */
  list(): Promise<PackageInfo[]>;
  /**
   * Stores a package under `<name>-<version>.tar.gz`. Idempotent for the same bytes.
   *
   * @throws {HarnessError} `invalid_params` for a bad name, `already_exists` for other bytes under the
   * same name, `too_large`, `package_invalid` when the digest or the content does not match, `rate_limited`
   * with too many uploads at once, `timeout` when the body stalls, `storage_unavailable`.
   */
  put(
    file: string,
    body: ReadableStream<Uint8Array>,
    options?: PutPackageOptions,
  ): Promise<PackageInfo>;
  /**
   * A package's bytes; the reader must read or cancel them. `address` is the reader's IP address.
   *
   * @throws {HarnessError} `not_found`, `rate_limited` with too many downloads at once.
   */
  get(
    file: string,
    address?: string,
  ): Promise<{ info: PackageInfo; body: ReadableStream<Uint8Array> }>;
  /** Removes a package. */
  remove(file: string): Promise<void>;
  /** The local file of `<name>-<version>.tar.gz` or `name@version`. */
  resolve(reference: string): Promise<{ path: string; info: PackageInfo }>;
  /**
   * Checks a package right before it is deployed: its content against its file name and, where signatures are
   * required, its signature. Left out, the file at its path is read and no signature is required.
   *
   * @throws {HarnessError} `package_invalid`.
   */
  check?(file: string): Promise<CheckedPackage>;
  /** Stores the signature of a package, which may be uploaded later. Left out: `unavailable`. */
  putSignature?(file: string, text: string): Promise<void>;
  /** The signature of a package. @throws {HarnessError} `not_found`. */
  getSignature?(file: string): Promise<string>;
  /** Removes the signature of a package. @throws {HarnessError} `not_found`. */
  removeSignature?(file: string): Promise<void>;
}

/** Durable store of small JSON documents. */
export interface DocumentStore {
  /** Writes a document, whole and durably. */
  put(collection: string, id: string, value: unknown): Promise<void>;
  /** All intact documents of a collection; the id is the one that a file name can hold. */
  list(collection: string): Promise<Array<{ id: string; value: unknown }>>;
  /** Removes a document; fine when there is none. */
  remove(collection: string, id: string): Promise<void>;
}

/** Collections of what is deployed, started and supervised. Where all are empty, there is nothing to take up again. */
export const COLLECTIONS = {
  /** How each service is run, and where. */
  placements: "placements",
  /** Restarts that are due. */
  restarts: "restarts",
  /** Records of deployments. */
  deployments: "deployments",
} as const;
