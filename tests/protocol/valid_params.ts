/** Well-formed params of every action, with every field. */
import type { Action } from "../../src/protocol/actions.ts";

/** A well-formed value for every param of every action. */
export const VALID_PARAMS: Readonly<Record<Action, Record<string, unknown>>> = {
  list_services: {
    name: "a",
    state: "running",
    host: "h",
    label: "k=v",
    limit: 5,
    cursor: "after:a",
  },
  get_service: { name: "a" },
  register_service: {
    service: {
      id: "a@h",
      name: "a",
      version: "1",
      execution: { type: "managed_process", command: "/bin/true", args: ["x"], pid: 1 },
      location: { type: "remote", host: "h", ssh_user: "u", ssh_port: 22 },
      endpoints: [{
        name: "http",
        address: "h:1",
        protocol: { custom: "x" },
        metadata: { a: "b" },
      }],
      depends_on: ["b"],
      labels: { a: "b" },
      ttl_ms: 1000,
    },
    replace: true,
  },
  update_service: {
    name: "a",
    if_revision: 1,
    endpoints: [{ name: "http", address: "h:1", protocol: "http", metadata: { a: "b" } }],
    labels: { a: "b" },
    depends_on: ["b"],
    version: "2",
    state: "failed",
    state_reason: "x",
  },
  deregister_service: { name: "a", if_revision: 1, force: true },
  heartbeat: { name: "a" },
  service_action: { name: "a", action: "start", cascade: true, dry_run: true },
  list_endpoints: {},
  resolve_endpoint: { service: "a", endpoint: "http" },
  get_dependencies: { name: "a" },
  service_logs: { name: "a", tail: 5, since: "2026-11-23T12:00:00Z" },
  deploy_package: {
    package: "a-1.0.0.tar.gz",
    targets: [{
      host: "h",
      user: "u",
      port: 22,
      identity_file: "/k",
      install_root: "/opt",
      become: "sudo",
    }],
    env: { A: "b" },
    secrets: { A: "b" },
    strategy: { parallel: 1, canary: 1, max_failures: 1, on_unreachable: "skip" },
    idempotency_key: "k",
    force: true,
    sha256: "0".repeat(64),
  },
  get_deployment: { deployment_id: "d" },
  list_deployments: { service: "a", limit: 5 },
  cancel_deployment: { deployment_id: "d" },
  resume_deployment: { deployment_id: "d", secrets: { A: "b" } },
  rollback_service: { name: "a", version: "1", targets: ["local"] },
  list_packages: {},
  subscribe: {
    events: ["service_updated"],
    services: ["a"],
    since: { epoch: "e", seq: 1 },
    snapshot: true,
  },
  unsubscribe: { events: ["service_updated"], subscription: "s-1" },
};

/** The other forms of params, where one value cannot show all. */
export const MORE_PARAMS: ReadonlyArray<readonly [Action, Record<string, unknown>]> = [
  ...[
    { type: "docker_container", image: "i:1", container_id: "c", name: "n" },
    { type: "systemd_service", unit_name: "u.service" },
    { type: "systemd_portable", image_name: "i", unit_name: "u.service" },
  ].map((execution) => {
    return ["register_service", { service: { name: "a", version: "1", execution } }] as const;
  }),
  ["register_service", {
    service: {
      name: "a",
      version: "1",
      execution: { type: "systemd_service", unit_name: "u" },
      endpoints: [{ name: "http", address: "[::1]:1", protocol: "http" }],
    },
  }],
  ["update_service", {
    name: "a",
    endpoints: [{ name: "x", address: "127.0.0.1:1", protocol: { custom: "x" } }],
  }],
  ["deploy_package", { package: "a-1.0.0.tar.gz", target: "u@h:22" }],
  ["deploy_package", { package: "a-1.0.0.tar.gz", targets: ["u@h:22", "local"] }],
  ["deploy_package", {
    package: "a-1.0.0.tar.gz",
    target: { host: "h", user: "u", identity_file: "/k", install_root: "/opt", become: "sudo" },
  }],
  ["rollback_service", {
    name: "a",
    targets: [{ host: "h", user: "u", identity_file: "/k", install_root: "/opt", become: "sudo" }],
  }],
];
