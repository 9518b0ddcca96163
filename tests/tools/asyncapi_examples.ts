/** Messages as examples of the AsyncAPI document; a test checks each with the schema of its message. */

const time = "2026-11-23T11:57:19.024Z";
const epoch = "2851fe17-f5c2-4e54-be31-da14c5b5ff6a";

const entry = {
  id: "web@host-1",
  name: "web",
  version: "1.2.3",
  execution: { type: "systemd_service", unit_name: "web.service" },
  location: { type: "remote", host: "host-1", ssh_user: "ops", ssh_port: null },
  endpoints: [{ name: "http", address: "10.0.0.5:8080", protocol: "http", metadata: {} }],
  depends_on: ["postgres"],
  state: "running",
  state_reason: "deploy d-17",
  last_health_check: { healthy: true, message: "200", checked_at: time, duration_ms: 12 },
  labels: { team: "web" },
  revision: 9,
  registered_at: time,
  last_state_change: time,
  updated_at: time,
};

function request(action: string, params?: unknown): unknown {
  return { id: "1", type: "request", action, ...(params === undefined ? {} : { params }) };
}

function response(data: unknown): unknown {
  return { id: "1", type: "response", data };
}

function event(event: string, seq: number | null, data: unknown): unknown {
  return { type: "event", event, ...(seq === null ? {} : { seq }), time, data };
}

/** By the name of the message. */
export const EXAMPLES: Record<string, readonly unknown[]> = {
  "list_services.request": [
    request("list_services"),
    request("list_services", { state: "running", label: "team=web", limit: 100 }),
  ],
  "list_services.response": [
    response([entry]),
    response({ services: [entry], next_cursor: null, seq: 42 }),
  ],
  "get_service.request": [request("get_service", { name: "web@host-1" })],
  "get_service.response": [response(entry)],
  "register_service.request": [
    request("register_service", {
      service: {
        name: "cache",
        version: "7.2",
        execution: { type: "systemd_service", unit_name: "redis.service" },
        endpoints: [{ name: "redis", address: "10.0.0.6:6379", protocol: "tcp" }],
        ttl_ms: 30_000,
      },
    }),
  ],
  "heartbeat.request": [request("heartbeat", { name: "cache" })],
  "heartbeat.response": [response({ expires_at: time })],
  "resolve_endpoint.request": [request("resolve_endpoint", { service: "web", endpoint: "http" })],
  "resolve_endpoint.response": [response([{ ...entry.endpoints[0], id: entry.id }])],
  "service_action.request": [
    request("service_action", { name: "web", action: "restart", cascade: true }),
  ],
  "service_action.response": [
    response({ service: "web", old_state: "running", new_state: "running" }),
  ],
  "deploy_package.request": [
    request("deploy_package", {
      package: "web@1.2.3",
      targets: ["ops@host-1", "ops@host-2"],
      strategy: { parallel: 2, canary: 1 },
      idempotency_key: "release-42",
    }),
  ],
  "deploy_package.response": [response({ deployment_id: "d-17" })],
  "subscribe.request": [
    request("subscribe", { snapshot: true }),
    request("subscribe", {
      events: ["service_state_changed"],
      services: ["web*"],
      since: { epoch, seq: 42 },
    }),
  ],
  "subscribe.response": [
    response({
      subscribed: ["service_state_changed"],
      subscription: "s-1",
      epoch,
      seq: 46,
      resumed: "replayed",
    }),
  ],
  "unsubscribe.request": [request("unsubscribe")],
  "unsubscribe.response": [response({ subscribed: [] })],
  "error.response": [
    {
      id: "1",
      type: "response",
      error: {
        code: "not_found",
        message: 'Cannot find service "api": it is not registered',
        retryable: false,
        details: { reason: "service_unknown", name: "api" },
      },
    },
  ],
  "hello.event": [
    event("hello", null, {
      protocol: { version: 1, supported: [1] },
      server: { name: "harness-ws-server", version: "0.1.0" },
      epoch,
      seq: 41,
      limits: { max_message_bytes: 262_144, max_in_flight: 64 },
      capabilities: ["write", "deploy", "lifecycle", "packages"],
    }),
  ],
  "service_registered.event": [
    event("service_registered", 42, { service: "web", id: entry.id, entry }),
  ],
  "service_state_changed.event": [
    event("service_state_changed", 43, {
      service: "web",
      id: entry.id,
      old_state: "starting",
      new_state: "running",
      reason: "started by client",
      revision: 9,
    }),
  ],
  "registry_loaded.event": [event("registry_loaded", 41, { services: [entry], more: false })],
  "bookmark.event": [event("bookmark", 46, {})],
  "server_draining.event": [
    event("server_draining", null, { reason: "SIGTERM", reconnect_after_ms: 1000 }),
  ],
};
