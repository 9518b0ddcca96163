/** A hostile server: whatever it answers, a command line client ends, and its terminal is only written to. */
import assert from "node:assert/strict";
import type { Io } from "../../src/cli/context.ts";
import { main } from "../../src/cli/program.ts";
import { type Received, ScriptedServer } from "../client/scripted_server.ts";
import { recorder } from "../helpers/cli.ts";
import { assertClean, HOSTILE, STYLE } from "./hostile_text.ts";

const DEPLOYMENT = {
  deployment_id: `d-${HOSTILE}`,
  package: HOSTILE,
  service: HOSTILE,
  version: HOSTILE,
  kind: HOSTILE,
  status: "failed",
  started_at: HOSTILE,
  finished_at: HOSTILE,
  hosts: ["failed", HOSTILE].map((outcome) => ({
    host: HOSTILE,
    outcome,
    step: HOSTILE,
    error: {
      code: HOSTILE,
      message: `Cannot start ${HOSTILE}\n${HOSTILE}`,
      details: { [HOSTILE]: { [HOSTILE]: [HOSTILE] }, log: [HOSTILE, HOSTILE], exit_code: HOSTILE },
    },
  })),
};

const ENTRY = {
  id: HOSTILE,
  name: HOSTILE,
  version: HOSTILE,
  execution: { type: HOSTILE, [HOSTILE]: HOSTILE, args: [HOSTILE] },
  location: { type: "remote", host: HOSTILE, ssh_user: HOSTILE, ssh_port: HOSTILE },
  endpoints: [{
    name: HOSTILE,
    address: HOSTILE,
    protocol: { custom: HOSTILE },
    metadata: { [HOSTILE]: HOSTILE },
  }],
  depends_on: [HOSTILE],
  state: HOSTILE,
  state_reason: HOSTILE,
  last_health_check: { healthy: false, message: HOSTILE, checked_at: HOSTILE, duration_ms: 1 },
  labels: { [HOSTILE]: HOSTILE },
  revision: HOSTILE,
  registered_at: HOSTILE,
  last_state_change: HOSTILE,
  updated_at: HOSTILE,
};

/** What the server answers to each action. */
const ANSWERS: Record<string, unknown> = {
  list_services: [ENTRY],
  get_service: ENTRY,
  register_service: ENTRY,
  deregister_service: { removed: HOSTILE },
  uninstall_service: { deployment_id: DEPLOYMENT.deployment_id },
  service_action: {
    service: HOSTILE,
    old_state: HOSTILE,
    new_state: HOSTILE,
    waves: [[HOSTILE]],
    plan: [{ action: HOSTILE, services: [HOSTILE] }],
  },
  list_endpoints: { [HOSTILE]: ENTRY.endpoints },
  resolve_endpoint: ENTRY.endpoints,
  service_logs: { lines: [HOSTILE] },
  get_history: [{
    at: HOSTILE,
    old_state: HOSTILE,
    new_state: HOSTILE,
    cause: { kind: HOSTILE, by: HOSTILE, deployment_id: HOSTILE, reason: HOSTILE },
  }],
  deploy_package: { deployment_id: DEPLOYMENT.deployment_id },
  rollback_service: { deployment_id: DEPLOYMENT.deployment_id },
  resume_deployment: { deployment_id: DEPLOYMENT.deployment_id },
  get_deployment: DEPLOYMENT,
  list_deployments: [DEPLOYMENT],
  cancel_deployment: DEPLOYMENT,
  list_packages: [{
    file: HOSTILE,
    name: HOSTILE,
    version: HOSTILE,
    size: HOSTILE,
    sha256: HOSTILE,
  }],
};

/** One of each command that prints what a server said. */
const COMMANDS: readonly (readonly string[])[] = [
  ["services"],
  ["endpoints"],
  ["resolve", "x"],
  ["service", "get", "x"],
  ["service", "logs", "x"],
  ["service", "start", "x"],
  ["service", "stop", "x", "--dry-run"],
  ["service", "deregister", "x"],
  ["service", "register", "x", "--systemd", "x.service"],
  ["deployments"],
  ["deployments", "show", "d-1"],
  ["deployments", "follow", "d-1"],
  ["deployments", "cancel", "d-1"],
  ["deployments", "resume", "d-1"],
  ["rollback", "x"],
  ["deploy", "x@1.0.0", "--host", "h"],
  ["deploy", "x@1.0.0", "--host", "h", "--detach"],
  ["package", "list"],
  ["doctor"],
];

/** Answers every connection until it is disposed of. */
class HostileServer implements AsyncDisposable {
  readonly #server = new ScriptedServer();
  #open = true;
  readonly #answer: (request: Received) => unknown;

  constructor(answer: (request: Received) => unknown) {
    this.#answer = answer;
    void this.#accept();
  }

  get url(): string {
    return this.#server.url;
  }

  async #accept(): Promise<void> {
    while (this.#open) {
      const peer = await this.#server.greet({ server: { name: HOSTILE, version: HOSTILE } });
      void (async () => {
        while (this.#open) {
          const request = await peer.request();
          if (request.action !== "subscribe") {
            peer.send({ id: request.id, type: "response", ...this.#answer(request) as object });
            continue;
          }
          peer.respond(request, {
            subscribed: [HOSTILE],
            subscription: HOSTILE,
            epoch: HOSTILE,
            seq: 0,
            resumed: "live",
          });
          for (const [at, [event, data]] of EVENTS.entries()) peer.event(event, data, at + 1);
        }
      })();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#open = false;
    await this.#server[Symbol.asyncDispose]();
  }
}

const EVENTS: ReadonlyArray<readonly [string, Record<string, unknown>]> = [
  ["service_state_changed", {
    id: HOSTILE,
    service: HOSTILE,
    old_state: HOSTILE,
    new_state: HOSTILE,
    reason: HOSTILE,
  }],
  ["service_registered", { id: HOSTILE, service: HOSTILE, entry: ENTRY }],
  ["service_deregistered", { id: HOSTILE, service: HOSTILE }],
  ["endpoint_updated", { id: HOSTILE, service: HOSTILE, endpoints: ENTRY.endpoints }],
  ["health_check_result", {
    id: HOSTILE,
    service: HOSTILE,
    healthy: false,
    message: HOSTILE,
    duration_ms: 1,
  }],
  ["deployment_progress", {
    deployment_id: DEPLOYMENT.deployment_id,
    service: HOSTILE,
    id: HOSTILE,
    host: HOSTILE,
    step: HOSTILE,
    status: HOSTILE,
    message: HOSTILE,
    at: HOSTILE,
  }],
  ["service_log", { id: HOSTILE, service: HOSTILE, line: HOSTILE }],
  ["server_draining", { reason: HOSTILE }],
];

/** A terminal in colour that remembers what was written to it. */
function terminal(url: string): { io: Io; output: () => string; interrupt: () => void } {
  const interrupt = new AbortController();
  const io = recorder({ HOME: "/nonexistent", HARNESS_URL: url });
  return {
    io: { ...io, outIsTerminal: true, color: true, interrupted: interrupt.signal },
    output: () => io.text.stdout + io.text.stderr,
    interrupt: () => interrupt.abort(),
  };
}

Deno.test("hostile server: no command lets its text at a terminal", async () => {
  await using server = new HostileServer(({ action }) => ({ data: ANSWERS[action] ?? ENTRY }));
  for (const words of COMMANDS) {
    const { io, output } = terminal(server.url);
    await main(words, io);
    assertClean(output().replaceAll(STYLE, ""), words.join(" "));
  }
});

Deno.test("hostile server: its errors stay text, also in JSON", async () => {
  const error = {
    code: "conflict",
    message: HOSTILE,
    retryable: false,
    details: { [HOSTILE]: HOSTILE },
  };
  await using server = new HostileServer(() => ({ error }));
  for (const words of COMMANDS) {
    const { io, output } = terminal(server.url);
    const code = await main(words, io);
    // doctor asks for nothing that a server could refuse.
    assert.ok(code !== 0 || words[0] === "doctor", words.join(" "));
    assertClean(output().replaceAll(STYLE, ""), words.join(" "));
  }
});

Deno.test("hostile server: JSON is the same value without raw controls", async () => {
  await using server = new HostileServer(({ action }) => ({ data: ANSWERS[action] ?? ENTRY }));
  for (const words of COMMANDS) {
    if (words.includes("--dry-run")) continue;
    const { io, output } = terminal(server.url);
    await main([...words, "--json"], io);
    assertClean(output().replaceAll(STYLE, ""), words.join(" "));
  }
  const { io, output } = terminal(server.url);
  await main(["services", "--json"], io);
  assert.equal(JSON.stringify(JSON.parse(output())), JSON.stringify([ENTRY]));
});

Deno.test("hostile server: watch shows its events as text", async () => {
  await using server = new HostileServer(({ action }) => ({ data: ANSWERS[action] ?? ENTRY }));
  for (const more of [[], ["--json"]]) {
    const { io, output, interrupt } = terminal(server.url);
    const done = main(["watch", ...more], io);
    const told = () => output().split("\n").length;
    for (let i = 0; told() < EVENTS.length && i < 2000; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    interrupt();
    await done;
    assert.ok(told() >= EVENTS.length - 1, output());
    assertClean(output().replaceAll(STYLE, ""), "watch");
  }
});
