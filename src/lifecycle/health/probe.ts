/**
 * One probe of each kind, on this machine by a socket and on others by a script.
 *
 * @module
 */
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { HarnessError, messageOf } from "../../errors.ts";
import type { Executor, RunOptions, RunResult } from "../../executor/executor.ts";
import { COMMAND_GRACE_MS, MAX_HEALTH_MESSAGE_LENGTH, MAX_HEALTH_OUTPUT_BYTES } from "../limits.ts";
import { STATUS_TIMEOUT_MS } from "../../model/limits.ts";
import type { HealthProbe, ManifestPort } from "../../package/manifest/manifest.ts";
import { driverFor } from "../drivers/table.ts";
import { describeEnd } from "../exit_status.ts";
import { CLEAR_PROBE, HTTP_PROBE, SCRIPT_PROBE, TCP_PROBE } from "./scripts.ts";
import type { ServiceSpec } from "../service_spec.ts";

/** Verdict of a health check; a warning passes. */
export type HealthStatus = "ok" | "warning" | "critical";

/** What a probe found, before it is timed. */
export interface Verdict {
  /** How it went. */
  status: HealthStatus;
  /** One line for people. */
  message: string;
  /** HTTP status, if any. */
  http_status: number | null;
  /** Output or body, if any. */
  output: string | null;
}

/** What a probe needs. */
export interface ProbeContext {
  /** The service's machine. */
  executor: Executor;
  /** The service. */
  spec: ServiceSpec;
  /** Deadline. */
  timeoutMs: number;
  /** Cancels it. */
  signal: AbortSignal | undefined;
  /** Makes a script a background command. */
  onCrowded?: RunOptions["onCrowded"] | undefined;
}

const LOOPBACK = ["127.0.0.1", "::1"] as const;

/** Runs `probe` once. Rejects with `timeout`, `unreachable` or the abort reason; everything else is a verdict. */
export function runProbe(probe: HealthProbe, context: ProbeContext): Promise<Verdict> {
  switch (probe.type) {
    case "script":
      return probeScript(probe.script, context);
    case "http":
      return probeHttp(probe, context);
    case "tcp":
      return probeTcp(resolvePort(probe.port, context.spec.ports).port, context);
  }
}

async function probeScript(script: string, context: ProbeContext): Promise<Verdict> {
  const { executor, spec, timeoutMs, signal, onCrowded } = context;
  const runId = crypto.randomUUID();
  const user = "user" in spec.execution ? spec.execution.user : null;
  // A container's loader variables must not act on its health script, which runs on the machine itself.
  const plain = driverFor(spec.execution).isolated ? "yes" : "";
  // Later than our own deadline, which knows more of what it ends.
  const seconds = Math.ceil((timeoutMs + COMMAND_GRACE_MS) / 1000);
  try {
    const result = await executor.run({
      name: "health/script",
      script: SCRIPT_PROBE,
      args: [spec.workDir, spec.envFile ?? "", user ?? "", String(seconds), plain, script],
    }, {
      stdin: `${runId}\n`,
      timeoutMs,
      maxOutputBytes: MAX_HEALTH_OUTPUT_BYTES,
      ...(signal ? { signal } : {}),
      ...(onCrowded ? { onCrowded } : {}),
    });
    return scriptVerdict(result);
  } catch (error) {
    // The executor killed the process group; a child that had left it still carries the mark.
    if (!(error instanceof HarnessError) || error.code !== "unreachable") {
      await executor.run({ name: "health/clear", script: CLEAR_PROBE, args: [user ?? ""] }, {
        stdin: `${runId}\n`,
        timeoutMs: STATUS_TIMEOUT_MS,
      })
        .catch(() => undefined); // Best effort: the verdict does not depend on it.
    }
    throw error;
  }
}

/** Reads the result of a probe script: 0 ok, 1 warning, anything else critical. */
function scriptVerdict(result: RunResult): Verdict {
  const output = `${result.stdout}${result.stderr}`.trim();
  const first = shorten(output.split("\n").find((line) => line.trim() !== "") ?? "");
  const status = result.exitCode === 0 ? "ok" : result.exitCode === 1 ? "warning" : "critical";
  const end = `the health script ${describeEnd(result)}`;
  const message = status === "critical"
    ? first === "" ? end : `${end}: ${first}`
    : first === ""
    ? status
    : first;
  return { status, message, http_status: null, output: output === "" ? null : output };
}

async function probeHttp(
  probe: Extract<HealthProbe, { type: "http" }>,
  context: ProbeContext,
): Promise<Verdict> {
  const { port, protocol } = resolvePort(probe.port, context.spec.ports);
  const scheme = protocol === "https" ? "https" : "http";
  const url = `${scheme}://127.0.0.1:${port}${probe.path}`;
  const answer = context.executor.host === "local"
    ? await getLocally(scheme, port, probe.path, context)
    : await getRemotely(scheme, port, probe.path, context);
  if (typeof answer === "string") return critical(`http ${url}: ${shorten(answer)}`);
  const { status, body } = answer;
  const accepted = probe.status.length === 0
    ? status >= 200 && status < 400
    : probe.status.includes(status);
  const facts = { http_status: status, output: body === "" ? null : body };
  if (!accepted) {
    const first = shorten(body.trim().split("\n")[0] ?? "");
    const tail = first === "" ? "" : `: ${first}`;
    return { status: "critical", message: `http ${url}: ${status}${tail}`, ...facts };
  }
  if (probe.body !== null && !body.includes(probe.body)) {
    const message = `http ${url}: ${status}, but the body does not contain "${probe.body}"`;
    return { status: "critical", message: shorten(message), ...facts };
  }
  return { status: "ok", message: `http ${url}: ${status}`, ...facts };
}

/** What an HTTP server answered. */
export interface HttpAnswer {
  /** Status code. */
  status: number;
  /** Beginning of the body. */
  body: string;
}

async function getRemotely(
  scheme: string,
  port: number,
  path: string,
  { executor, timeoutMs, signal }: ProbeContext,
): Promise<HttpAnswer | string> {
  const seconds = String(Math.max(1, Math.ceil(timeoutMs / 1000)));
  const result = await executor.run({
    name: "health/http",
    script: HTTP_PROBE,
    args: [scheme, String(port), path, seconds],
  }, { timeoutMs, ...(signal ? { signal } : {}) });
  return parseHttpAnswer(result.stdout);
}

/** Reads a raw HTTP answer; anything else is the reason why there was none. */
export function parseHttpAnswer(raw: string): HttpAnswer | string {
  const text = raw.replace(/^(HTTP\/[\d.]+ 1\d\d[^]*?\r?\n\r?\n)+/, "");
  const match = /^HTTP\/[\d.]+ (\d{3})/.exec(text);
  if (match === null) {
    const why = text.trim().split("\n").at(-1) ?? "";
    return why === "" ? "no answer" : why.replace(/^@harness /, "");
  }
  const gap = /\r?\n\r?\n/.exec(text);
  const body = gap === null ? "" : text.slice(gap.index + gap[0].length).replace(/\n$/, "");
  return { status: Number(match[1]), body };
}

async function getLocally(
  scheme: "http" | "https",
  port: number,
  path: string,
  context: ProbeContext,
): Promise<HttpAnswer | string> {
  const deadline = AbortSignal.timeout(context.timeoutMs);
  const signal = AbortSignal.any([deadline, ...(context.signal ? [context.signal] : [])]);
  let failure = "";
  for (const host of LOOPBACK) {
    try {
      return await getOnce(scheme, { host, port, path, signal });
    } catch (error) {
      context.signal?.throwIfAborted();
      if (deadline.aborted) throw deadline.reason;
      // The error of the second address is reported only when the first one has none.
      failure ||= messageOf(error);
    }
  }
  return failure;
}

function getOnce(
  scheme: "http" | "https",
  options: { host: string; port: number; path: string; signal: AbortSignal },
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const send = scheme === "https" ? httpsRequest : httpRequest;
  const request = send({
    host: options.host,
    port: options.port,
    path: options.path,
    signal: options.signal,
    agent: false,
    // A service's own certificate on loopback proves nothing: what is asked is whether it answers.
    ...(scheme === "https" ? { rejectUnauthorized: false } : {}),
    headers: { "user-agent": "harness-health", "connection": "close" },
  }, (response) => {
    const decoder = new TextDecoder();
    let body = "";
    const done = () => {
      request.destroy();
      resolve({ status: response.statusCode ?? 0, body });
    };
    response.on("data", (chunk: Uint8Array) => {
      body += decoder.decode(chunk, { stream: true });
      if (body.length >= MAX_HEALTH_OUTPUT_BYTES) done();
    });
    response.on("end", done);
    response.on("error", reject);
  });
  request.on("error", reject);
  request.end();
  return promise;
}

async function probeTcp(port: number, context: ProbeContext): Promise<Verdict> {
  const { executor, timeoutMs, signal } = context;
  if (executor.host !== "local") {
    const seconds = String(Math.max(1, Math.ceil(timeoutMs / 1000)));
    const result = await executor.run({
      name: "health/tcp",
      script: TCP_PROBE,
      args: [String(port), seconds],
    }, {
      timeoutMs,
      ...(signal ? { signal } : {}),
    });
    if (result.exitCode === 0) return ok(`tcp port ${port}: connected`);
    return critical(`tcp port ${port}: nothing accepts connections`);
  }
  let failure = "";
  for (const host of LOOPBACK) {
    try {
      await connectOnce(host, port, context);
      return ok(`tcp port ${port}: connected`);
    } catch (error) {
      if (signal?.aborted || (error instanceof DOMException)) throw error;
      failure ||= messageOf(error);
    }
  }
  return critical(`tcp port ${port}: ${failure}`);
}

function connectOnce(host: string, port: number, context: ProbeContext): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host, port });
  const abort = () => reject(context.signal?.reason);
  const timer = setTimeout(
    () => reject(new DOMException("Signal timed out.", "TimeoutError")),
    context.timeoutMs,
  );
  context.signal?.addEventListener("abort", abort);
  socket.once("connect", () => resolve());
  socket.once("error", reject);
  return promise.finally(() => {
    clearTimeout(timer);
    context.signal?.removeEventListener("abort", abort);
    socket.destroy();
  });
}

/** The port that a probe names: by its name in the manifest, or by number. */
function resolvePort(port: string | number, ports: readonly ManifestPort[]): ManifestPort {
  const found = ports.find((p) => p.name === String(port) || p.port === Number(port));
  if (found !== undefined) return found;
  const number = Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65536) {
    return { name: String(port), port: number, protocol: "tcp" };
  }
  throw new HarnessError(
    "invalid_params",
    `Cannot check port "${port}": the service has no port of that name (it has ${
      ports.map((p) => p.name).join(", ") || "none"
    })`,
  );
}

function ok(message: string): Verdict {
  return { status: "ok", message, http_status: null, output: null };
}

function critical(message: string): Verdict {
  return { status: "critical", message, http_status: null, output: null };
}

function shorten(text: string): string {
  return text.length <= MAX_HEALTH_MESSAGE_LENGTH
    ? text
    : `${text.slice(0, MAX_HEALTH_MESSAGE_LENGTH - 1)}…`;
}
