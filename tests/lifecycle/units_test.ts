/** Text and parsing: everything here is pure. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  startContainerCommand,
  stopContainerCommand,
} from "../../src/lifecycle/drivers/docker/commands.ts";
import { formatEnvFile } from "../../src/lifecycle/env_file.ts";
import { describeEnd, statusFromCode } from "../../src/lifecycle/exit_status.ts";
import { occupantOf, parseContainer, statusOf } from "../../src/lifecycle/drivers/docker/status.ts";
import { parseHostStatus } from "../../src/lifecycle/supervisor/host_status.ts";
import {
  parseProcessStatus,
  parseReport,
  type ProcessSpec,
  startCommand,
} from "../../src/lifecycle/drivers/process/commands.ts";
import type { ServiceSpec } from "../../src/lifecycle/service_spec.ts";
import {
  endInJournal,
  parseUnit,
  parseUnitReport,
  unitStatus,
} from "../../src/lifecycle/drivers/systemd/report.ts";
import * as knownScripts from "../../src/lifecycle/drivers/systemd/known/scripts.ts";
import * as systemdScripts from "../../src/lifecycle/drivers/systemd/generated/scripts.ts";
import {
  checkedUnit,
  execLine,
  unitText,
  unmarkedUnitDigest,
} from "../../src/lifecycle/drivers/systemd/generated/unit.ts";

const BASE: ServiceSpec = {
  name: "api",
  version: "1.2.3",
  execution: {
    type: "managed_process",
    argv: ["/opt/api-1.2.3/scripts/start.sh"],
    start: "foreground",
    stopArgv: null,
    reloadArgv: null,
    user: "api",
  },
  workDir: "/opt/api-1.2.3",
  envFile: "/opt/.harness/api/env",
  runDir: "/opt/.harness/api/run/1.2.3",
  logDir: "/opt/.harness/api/log",
  ports: [{ name: "http", port: 8080, protocol: "http" }, {
    name: "dns",
    port: 53,
    protocol: "udp",
  }],
  health: null,
  restart: { policy: "on-failure", maxRetries: 5, backoffMs: 1500 },
  stop: { signal: "TERM", timeoutMs: 10_000 },
};

const process = (change: Partial<ProcessSpec["execution"]> = {}): ProcessSpec => ({
  ...BASE,
  execution: { ...(BASE.execution as ProcessSpec["execution"]), ...change },
});

const RUN = "7f1f8f0e-0000-4000-8000-000000000001";

/** The unit that version f121a8f wrote for `process()`. */
const UNMARKED = `# Made by harness-ws-server; written anew at each start.
[Unit]
Description=api 1.2.3
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=69
StartLimitBurst=6

[Service]
Type=exec
ExecStart="/opt/api-1.2.3/scripts/start.sh"
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory=/opt/api-1.2.3
EnvironmentFile=/opt/.harness/api/env
User=api
Restart=on-failure
RestartSec=1.5
TimeoutStartSec=60
TimeoutStopSec=10
KillSignal=SIGTERM
KillMode=control-group
SendSIGKILL=yes
SuccessExitStatus=130 143
StandardOutput=journal
StandardError=journal

[Install]
WantedBy=multi-user.target
`;

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

Deno.test("unitText: policy, user, environment, and whose it is", () => {
  const text = unitText(process(), RUN);
  const [header, sum, ...rest] = text.split("\n");
  assert.match(header ?? "", /^# Made by harness-ws-server/);
  assert.equal(sum, `# harness-sha256: ${sha256(rest.join("\n"))}`);
  assert.deepEqual(rest.slice(0, 5), [
    "# harness-service: api",
    "# harness-place: /opt/.harness/api",
    "# harness-release: /opt/api-1.2.3",
    "# harness-run-dir: /opt/.harness/api/run/1.2.3",
    `# harness-run: ${RUN}`,
  ]);
  const unmarked = UNMARKED.split("\n").slice(1).join("\n")
    .replace("User=api\n", `User=api\nEnvironment=HARNESS_RUN=${RUN}\n`);
  assert.equal(rest.slice(5).join("\n"), unmarked);
  const daemon = unitText(process({ start: "daemon", stopArgv: ["/stop"], user: null }), RUN);
  assert.match(daemon, /^Type=forking$/m);
  assert.match(daemon, /^ExecStop="\/stop"$/m);
  assert.doesNotMatch(daemon, /^User=/m);
});

Deno.test("unmarkedUnitDigest: that of the earlier version's unit", () => {
  const digest = sha256(UNMARKED.replace(/^Description=.*\n/m, ""));
  assert.equal(unmarkedUnitDigest(process()), digest);
  assert.equal(unmarkedUnitDigest({ ...process(), version: "9.9.9" }), digest);
  assert.notEqual(unmarkedUnitDigest(process({ user: "root" })), digest);
});

Deno.test("unitText: hardening by the manifest's choice", () => {
  const lines = (change: Partial<ProcessSpec["execution"]>, workDir = BASE.workDir) =>
    unitText({ ...process(change), workDir }, RUN).split("\n").filter((line) =>
      /^(?:NoNew|Private|Protect|Restrict|Lock|SystemCall|Memory|Capab|Ambient)/.test(line)
    );
  assert.deepEqual(lines({}), [], "what an earlier version recorded runs as it did");
  assert.deepEqual(lines({ hardening: false }), []);
  const usual = lines({ hardening: {} });
  assert.deepEqual(usual, [
    "NoNewPrivileges=yes",
    "PrivateTmp=yes",
    "ProtectSystem=full",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "RestrictSUIDSGID=yes",
    "RestrictRealtime=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=~@module @raw-io @reboot @swap",
    "SystemCallErrorNumber=EPERM",
    "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
    "AmbientCapabilities=CAP_NET_BIND_SERVICE",
  ], "its port 53 needs a capability");
  assert.deepEqual(lines({ hardening: {}, user: null }), usual.slice(0, -4));
  assert.deepEqual(
    lines({ hardening: { private_tmp: false, private_devices: true } }).filter((line) =>
      line.startsWith("Private")
    ),
    ["PrivateDevices=yes"],
  );
  assert.deepEqual(lines({ hardening: { no_new_privileges: false } }), [
    "PrivateTmp=yes",
    "ProtectSystem=full",
    "ProtectControlGroups=yes",
  ], "systemd would set it all the same for the others");
  assert.ok(!lines({ hardening: {} }, "/usr/local/api-1.2.3").includes("ProtectSystem=full"));
});

Deno.test("checkedUnit: neither an option nor a pattern", () => {
  for (const unit of ["nginx.service", "a@b.service", "-.mount".slice(1), "x\\x2dy.service"]) {
    assert.equal(checkedUnit(unit), unit);
  }
  for (
    const unit of ["-H.service", "--user", "ng*", "a?.service", "[a].service", "a b", "", "a\n"]
  ) {
    assert.throws(() => checkedUnit(unit), { code: "invalid_params" }, unit);
  }
});

Deno.test("parseUnitReport: a service's line is never one of ours", () => {
  const stdout = `@harness unit
Id=harness-api.service
ActiveState=failed
MainPID=0
ExecMainCode=1
ExecMainStatus=3
@harness error it did not stay up
!api: Main process exited, code=exited, status=3
|@harness unit
|ActiveState=active
|MainPID=1
|@harness failed forged
|!Main process exited, code=exited, status=0
|a line
`;
  const report = parseUnitReport(stdout);
  assert.deepEqual([report.outcome, report.reason], ["error", "it did not stay up"]);
  assert.deepEqual(report.messages, ["api: Main process exited, code=exited, status=3"]);
  assert.equal(report.log.length, 6);
  const status = unitStatus(report);
  assert.deepEqual([status.running, status.exitCode], [false, 3]);
});

Deno.test("systemd scripts: sound sh", async () => {
  for (const [name, script] of Object.entries({ ...systemdScripts, ...knownScripts })) {
    const { success, stderr } = await new Deno.Command("sh", { args: ["-n", "-c", script] })
      .output();
    assert.ok(success, `${name}: ${new TextDecoder().decode(stderr)}`);
  }
});

Deno.test("execLine: escapes what systemd would expand or split", () => {
  assert.equal(
    execLine(["/bin/a b", "100%", "$HOME", 'say "hi"', "back\\slash", "two\nlines\t\x01", "", ";"]),
    String.raw`"/bin/a b" "100%%" "$$HOME" "say \"hi\"" "back\\slash" "two\nlines\t\x01" "" ";"`,
  );
  assert.throws(() => execLine(["a\0b"]), /NUL/);
});

Deno.test("unitText: refuses a path that would add a line", () => {
  assert.throws(() => unitText({ ...process(), workDir: "/a\nExecStart=/evil" }, RUN), /line end/);
});

Deno.test("formatEnvFile: quotes values, refuses invalid names", () => {
  assert.equal(formatEnvFile({ A: "it's", B: "" }), `A='it'"'"'s'\nB=''\n`);
  assert.throws(() => formatEnvFile({ "A B": "" }), /letters, digits and _/);
  assert.throws(() => formatEnvFile({ "A;rm": "" }), /letters, digits and _/);
  assert.throws(() => formatEnvFile({ A: "\0" }), /NUL/);
});

Deno.test("startCommand: parameters only, nothing secret", () => {
  const command = startCommand(process());
  assert.ok("script" in command);
  const args = command.args ?? [];
  assert.deepEqual(args.slice(0, 9), [
    "/opt/.harness/api/run/1.2.3",
    "api",
    "/opt/.harness/api/log",
    "10485760",
    "5",
    "foreground",
    "/opt/api-1.2.3",
    "/opt/.harness/api/env",
    "api",
  ]);
  assert.equal(args[11], "8080", "udp ports are not looked up as tcp ones");
  assert.equal(args.at(-1), "/opt/api-1.2.3/scripts/start.sh");
});

Deno.test("statusFromCode: exit codes and signals", () => {
  assert.deepEqual(statusFromCode("0"), {
    facts: { exitCode: 0, signal: null },
    text: "exited with code 0",
  });
  assert.deepEqual(statusFromCode("137"), {
    facts: { exitCode: null, signal: "SIGKILL" },
    text: "ended by SIGKILL",
  });
  assert.deepEqual(statusFromCode("200").facts, { exitCode: 200, signal: null });
  assert.deepEqual(statusFromCode("unknown").facts, { exitCode: null, signal: null });
  assert.match(describeEnd({ exitCode: 127, signal: null }), /not found/);
});

Deno.test("parseReport, parseProcessStatus: output of the scripts", () => {
  assert.equal(parseReport("noise\n"), null);
  assert.deepEqual(parseReport("motd\n@harness exited 3\nlast line\n"), {
    outcome: "exited",
    words: ["3"],
    text: "3",
    log: ["last line"],
  });
  const forged = "@harness exited 3\n@harness running 1\nsay @harness running 1\n";
  assert.equal(parseReport(forged)?.outcome, "exited", "lines of a log are no report");
  assert.deepEqual(parseReport(forged)?.log, ["@harness running 1", "say @harness running 1"]);
  assert.equal(parseReport("x @harness running 1\n"), null);
  assert.equal(parseProcessStatus("running 42").pid, 42);
  assert.equal(parseProcessStatus("running 42").identity, null);
  assert.deepEqual(parseProcessStatus("running 42 r-1 /opt/a b").identity, {
    runId: "r-1",
    releaseDir: "/opt/a b",
  });
  assert.deepEqual(parseProcessStatus("ended 143 yes").asked, true);
  assert.match(parseProcessStatus("gone rebooted").detail, /rebooted/);
  assert.equal(parseProcessStatus("").detail, "never started");
});

const SHOW = (fields: Record<string, string | number>) =>
  Object.entries({
    Id: "harness-api.service",
    LoadState: "loaded",
    ActiveState: "active",
    SubState: "running",
    MainPID: 77,
    ExecMainCode: 0,
    ExecMainStatus: 0,
    Result: "success",
    NRestarts: 0,
    ...fields,
  }).map(([key, value]) => `${key}=${value}`).join("\n");

Deno.test("endInJournal: the last end of a main process", () => {
  const unit = "api.service: Main process exited, code=";
  assert.equal(endInJournal(["Started api.", "no database"]), null);
  assert.deepEqual(
    endInJournal([
      `${unit}killed, status=9/KILL`,
      "again",
      `${unit}exited, status=3/NOTIMPLEMENTED`,
    ]),
    { exitCode: 3, signal: null },
  );
  assert.deepEqual(endInJournal([`${unit}dumped, status=11/SEGV`, "x"]), {
    exitCode: null,
    signal: "SIGSEGV",
  });
});

Deno.test("parseUnit: all states of a unit", () => {
  const running = parseUnit(SHOW({}));
  assert.deepEqual([running.running, running.pid, running.known], [true, 77, true]);
  const again = parseUnit(
    SHOW({
      ActiveState: "activating",
      SubState: "auto-restart",
      MainPID: 0,
      ExecMainCode: 1,
      ExecMainStatus: 3,
      Result: "exit-code",
      NRestarts: 2,
    }),
  );
  assert.deepEqual(
    [again.running, again.restarting, again.exitCode, again.restarts],
    [false, true, 3, 2],
  );
  const killed = parseUnit(
    SHOW({
      ActiveState: "failed",
      SubState: "failed",
      MainPID: 0,
      ExecMainCode: 2,
      ExecMainStatus: 9,
      Result: "signal",
    }),
  );
  assert.deepEqual([killed.signal, killed.asked], ["SIGKILL", false]);
  const stopped = parseUnit(
    SHOW({
      ActiveState: "inactive",
      SubState: "dead",
      MainPID: 0,
      ExecMainCode: 2,
      ExecMainStatus: 15,
    }),
  );
  assert.deepEqual([stopped.asked, stopped.signal], [true, "SIGTERM"]);
  const unknown = parseUnit(
    SHOW({ LoadState: "not-found", ActiveState: "inactive", SubState: "dead" }),
  );
  assert.match(unknown.detail, /does not exist/);
});

const DOCKER: ServiceSpec = {
  ...BASE,
  execution: {
    type: "docker_container",
    image: "api:1",
    imageTar: "/opt/api/image.tar",
    container: "api",
  },
};

Deno.test("startContainerCommand: ports, no values, no pull", () => {
  assert.ok(DOCKER.execution.type === "docker_container");
  const command = startContainerCommand({ ...DOCKER, execution: DOCKER.execution });
  assert.ok("script" in command);
  assert.deepEqual(command.args?.slice(0, 11), [
    "api",
    "api",
    "/opt",
    "/opt/api-1.2.3",
    "/opt/.harness/api/run/1.2.3",
    "api:1",
    "",
    "/opt/api/image.tar",
    "/opt/.harness/api/env",
    "on-failure:5",
    "TERM",
  ]);
  assert.deepEqual(command.args?.slice(-4), ["-p", "8080:8080", "-p", "53:53/udp"]);
  assert.doesNotMatch(command.script, /docker (pull|run)/);
  const stop = stopContainerCommand({
    ...DOCKER,
    execution: DOCKER.execution,
    stop: { signal: "TERM", timeoutMs: 1500 },
  });
  assert.deepEqual("args" in stop ? stop.args : [], [
    "api",
    "api",
    "/opt",
    "/opt/api-1.2.3",
    "/opt/.harness/api/run/1.2.3",
    "2",
  ]);
});

/** A line of docker's, of a container of the service `api` unless it is changed. */
function inspected(change: Record<string, unknown> = {}): string {
  return JSON.stringify({
    name: "/api",
    id: "abc",
    image: "sha256:1",
    status: "running",
    pid: 55,
    exit: 0,
    oom: false,
    error: "",
    restarts: 0,
    service: "api",
    root: "/opt",
    release: "/opt/api-1.0.0",
    print: "1",
    run: "r1",
    install: ["/opt/api-1.0.0"],
    ...change,
  });
}

Deno.test("parseContainer: states, ends and out of memory", () => {
  assert.equal(parseContainer("Error: No such object: api"), null);
  const running = parseContainer(inspected());
  assert.deepEqual([running?.name, running?.running, running?.pid, running?.containerId], [
    "api",
    true,
    55,
    "abc",
  ]);
  assert.deepEqual(running?.identity, { runId: "r1", releaseDir: "/opt/api-1.0.0" });
  const ended = parseContainer(
    inspected({ status: "exited", pid: 0, exit: 137, restarts: 2, oom: true }),
  );
  assert.deepEqual([ended?.signal, ended?.restarts], ["SIGKILL", 2]);
  assert.match(ended?.detail ?? "", /out of memory/);
});

Deno.test("statusOf, occupantOf: by labels, not by the name", () => {
  const owner = { service: "api", root: "/opt", release: "/opt/api-2.0.0" };
  const plain = { service: "api", root: "/state", release: "" };
  const old = { root: "", release: "", run: "" };
  for (
    const [change, whose, ours] of [
      [{}, owner, true],
      [{ root: "/srv/A", release: "/srv/A/api-1.0.0" }, owner, false],
      [{ service: "other" }, owner, false],
      [{ ...old, service: "", print: "", install: [] }, owner, false],
      // A container of the version before has no root.
      [old, owner, true],
      [{ ...old, install: ["/srv/A/api-1.0.0"] }, owner, false],
      [{ ...old, install: [] }, owner, false],
      [{ ...old, install: [] }, plain, true],
      [old, plain, false],
      [{ ...old, print: "" }, owner, false],
    ] as const
  ) {
    const container = parseContainer(inspected(change));
    assert.ok(container !== null);
    const what = JSON.stringify([change, whose]);
    assert.equal(occupantOf(container, whose).ours, ours, what);
    assert.equal(occupantOf(container, whose).running, true, what);
    assert.equal(statusOf(container, whose).running, ours, what);
  }
});

Deno.test("parseHostStatus: processes, units and containers", () => {
  const unit: ServiceSpec = {
    ...BASE,
    execution: { type: "systemd_service", unit: "nginx.service" },
  };
  const absent: ServiceSpec = {
    ...DOCKER,
    execution: { ...DOCKER.execution as never as object, container: "gone" } as never,
  };
  const queries = [BASE, unit, DOCKER, BASE, absent, unit].map((spec) => ({ spec }));
  const stdout = `@harness status process
0 running 11
3 ended 1 no
@harness status unit
units 1 5
${SHOW({ Id: "nginx.service" })}

${SHOW({ Id: "other.service", ActiveState: "failed", MainPID: 0 })}

carried
@harness status docker
${inspected()}
Error: No such container: gone
ended 1
`;
  const found = parseHostStatus(stdout, queries);
  assert.deepEqual(found.map((status) => status?.running), [true, true, true, false, false, false]);
  assert.deepEqual(found.map((status) => status?.pid), [11, 77, 55, null, null, null]);
  assert.equal(found[4]?.detail, "there is no such container");
  const reasons: string[] = [];
  const dead = ["Cannot connect to the Docker daemon\nended 1", "silent", "ended 127"].flatMap(
    (text) =>
      parseHostStatus(
        `@harness status docker\n${text}\n`,
        [{ spec: DOCKER }],
        (_, reason) => reasons.push(reason),
      ),
  );
  assert.deepEqual(reasons, [
    "Cannot connect to the Docker daemon",
    "Docker did not respond within 8 s",
    "docker gave no reason",
  ]);
  assert.deepEqual(dead, [null, null, null], "a silent daemon says nothing about its containers");
});
