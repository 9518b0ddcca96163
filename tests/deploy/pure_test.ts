import assert from "node:assert/strict";
import { checkEnv, effectivePorts, releaseEnv } from "../../src/deploy/env.ts";
import { toFailure } from "../../src/deploy/failure.ts";
import { parseFacts } from "../../src/deploy/host/lock/facts.ts";
import {
  committed,
  emptyState,
  type HostState,
  parseState,
  prunable,
  type ReleaseRecord,
  type ReleaseStatus,
  rollbackTarget,
  stateText,
  switching,
  undone,
  without,
  withoutSecrets,
  withRelease,
} from "../../src/deploy/host/state.ts";
import { hostLayout, releaseLayout } from "../../src/deploy/host/layout.ts";
import { ProgressQueue } from "../../src/deploy/progress_queue.ts";
import type { DeployProgress } from "../../src/deploy/progress.ts";
import { recoveryScript } from "../../src/deploy/host/recovery.ts";
import { releaseSpec } from "../../src/deploy/release_spec.ts";
import { HarnessError } from "../../src/errors.ts";
import { DEPLOY_EVENT_QUEUE } from "../../src/deploy/limits.ts";
import { parseManifest } from "../../src/package/manifest/parse.ts";
import { upgradeSpec } from "../../src/lifecycle/upgrade_spec.ts";

const MANIFEST = parseManifest(
  `name: web
version: 1.2.3
service: {type: managed_process, ports: [{name: http, port: 8080}, {name: admin-api, port: 9000}]}
env: {A: one, SECRET: {secret: true, default: hidden}, NEED: {required: true}}
health: {script: scripts/health.sh}
`,
  "manifest.yaml",
);

const HOST = { installDir: "/opt/web-1.2.3", dataDir: "/d", logDir: "/l", host: "h" };

function record(
  id: string,
  status: ReleaseStatus,
  more: Partial<ReleaseRecord> = {},
): ReleaseRecord {
  const layout = hostLayout("/opt", "web");
  const release = { id, dir: `/opt/web-${id}` };
  return {
    ...release,
    version: id,
    sha256: id.repeat(64).slice(0, 64),
    status,
    deployment_id: `d-${id}`,
    env: `${id}.env`,
    installed_at: "2026-01-01T00:00:00.000Z",
    committed_at: null,
    reason: null,
    manifest: MANIFEST,
    spec: releaseSpec({
      manifest: MANIFEST,
      layout,
      release,
      envName: `${id}.env`,
      ports: MANIFEST.service.ports,
      files: { stopScript: true, reloadScript: false, imageTar: false },
    }),
    ...more,
  };
}

function state(active: string | null, ...releases: ReleaseRecord[]): HostState {
  return { ...emptyState("web"), active, releases };
}

Deno.test("hostLayout(): stays below the install root", () => {
  const layout = hostLayout("/opt/", "../../../evil");
  assert.equal(layout.root, "/opt");
  assert.equal(layout.base, "/opt/.harness/_________evil");
  assert.equal(releaseLayout(layout, "../../../evil", "1.0.0").dir, "/opt/_________evil-1.0.0");
  assert.deepEqual(releaseLayout(layout, "web", "1.0.0+b", "abcdef0123"), {
    id: "1.0.0_b~abcdef01",
    dir: "/opt/web-1.0.0_b~abcdef01",
  });
  assert.equal(hostLayout("/", "web").base, "/.harness/web");
  for (const root of ["opt", "", "/a\nb", "/a\0"]) {
    assert.throws(() => hostLayout(root, "web"), /absolute path/);
  }
});

Deno.test("releaseEnv(): layers all sources by precedence", () => {
  const env = releaseEnv(MANIFEST, HOST, {
    dependencies: { A: "dep", DB_HOST: "10.0.0.1", B: "dep" },
    plan: { B: "plan", C: "plan", HARNESS_SERVICE: "liar", HARNESS_RUN: "liar" },
    host: { C: "host", HARNESS_PORT_HTTP: "9999" },
    secrets: { SECRET: "s3cret" },
  });
  assert.deepEqual(env, {
    A: "dep",
    B: "plan",
    C: "host",
    DB_HOST: "10.0.0.1",
    HARNESS_DATA_DIR: "/d",
    HARNESS_HOST: "h",
    HARNESS_INSTALL_DIR: "/opt/web-1.2.3",
    HARNESS_LOG_DIR: "/l",
    HARNESS_PORT_ADMIN_API: "9000",
    HARNESS_PORT_HTTP: "9999",
    HARNESS_SERVICE: "web",
    HARNESS_VERSION: "1.2.3",
    SECRET: "s3cret",
  });
});

Deno.test("effectivePorts(): a port from outside", () => {
  const ports = (value: string) => effectivePorts(MANIFEST, { plan: { HARNESS_PORT_HTTP: value } });
  assert.deepEqual(ports("81").map((p) => p.port), [81, 9000]);
  for (const bad of ["0", "65536", "x", "80 80", "-1", ""]) {
    assert.throws(() => ports(bad), /must be a port/);
  }
});

Deno.test("checkEnv(): loader variables must be allowed", () => {
  const plan = { NEED: "", LD_PRELOAD: "/tmp/x.so", LD_LIBRARY_PATH: "/l", PATH: "/bin", ENV: "p" };
  assert.throws(() => checkEnv(MANIFEST, { plan }), /LD_PRELOAD, LD_LIBRARY_PATH can make/);
  for (const name of ["LD_AUDIT", "GCONV_PATH", "BASH_ENV", "GLIBC_TUNABLES", "SHELLOPTS"]) {
    assert.throws(() => checkEnv(MANIFEST, { secrets: { NEED: "", [name]: "x" } }), RegExp(name));
  }
  const service = { ...MANIFEST.service, allowLoaderEnv: true };
  checkEnv({ ...MANIFEST, service }, { plan });
  const text = (more: string) =>
    `name: a\nversion: 1.0.0\nenv: {LD_PRELOAD: /x.so}\nservice: {${more}}\n`;
  assert.throws(
    () => parseManifest(text("type: managed_process"), "manifest.yaml"),
    /env\.LD_PRELOAD decides what programs load .*service\.allow_loader_env: true/,
  );
  const allowed = parseManifest(text("allow_loader_env: true"), "manifest.yaml");
  assert.equal(allowed.env["LD_PRELOAD"]?.value, "/x.so");
  // A container has a loader of its own.
  parseManifest(text("type: docker_container, image: 'a:1'"), "manifest.yaml");
});

Deno.test("checkEnv(): names everything that is missing", () => {
  assert.throws(() => checkEnv(MANIFEST, {}), /requires NEED/);
  checkEnv(MANIFEST, { secrets: { NEED: "" } });
});

Deno.test("parseState(): reads what stateText() writes", () => {
  const whole = switching(
    state("1.0.0", record("1.0.0", "good")),
    "d-2",
    record("2.0.0", "installing"),
  );
  assert.deepEqual(parseState(stateText(whole), "web", "x"), whole);
  assert.deepEqual(parseState(null, "web", "x"), emptyState("web"));
  const refused: Array<[string, RegExp]> = [
    ["", /not JSON; move it away/],
    [" \n", /not JSON; move it away/],
    ["{", /not JSON/],
    ["3", /newer|record/],
    ["null", /not a record/],
    ['{"format":2}', /format 2 is newer/],
    ['{"format":1,"service":"we_b","releases":[]}', /belongs to the service "we_b"/],
    ['{"format":1,"service":"web"}', /lists no releases/],
  ];
  for (const [text, words] of refused) assert.throws(() => parseState(text, "web", "x"), words);
});

Deno.test("stateText(): has the line that recovery greps for", () => {
  const plain = state("1.0.0", record("1.0.0", "good", { reason: '\n  "pending": {' }));
  assert.doesNotMatch(stateText(plain), /^ {2}"pending": \{/m);
  assert.match(stateText(switching(plain, "d", record("2", "installing"))), /^ {2}"pending": \{/m);
});

Deno.test("rollbackTarget(): the last good one before the active", () => {
  const all = state(
    "3.0.0",
    record("1.0.0", "good"),
    record("2.0.0", "bad"),
    record("2.1.0", "installing"),
    record("3.0.0", "good"),
    record("4.0.0", "bad"),
  );
  assert.equal(rollbackTarget(all)?.id, "1.0.0");
  assert.equal(rollbackTarget(all, "2.0.0"), null);
  assert.equal(rollbackTarget(all, "3.0.0")?.id, "3.0.0");
  assert.equal(rollbackTarget({ ...all, active: "1.0.0" }), null);
  assert.equal(rollbackTarget({ ...all, active: null })?.id, "3.0.0");
});

Deno.test("committed(): a rollback keeps its place in the order", () => {
  const before = state("2.0.0", record("1.0.0", "good"), record("2.0.0", "good"));
  const at = "2026-02-02T00:00:00.000Z";
  const forth = committed(before, record("1.0.0", "installing"), { keepPlace: false, at });
  assert.deepEqual(forth.releases.map((r) => r.id), ["2.0.0", "1.0.0"]);
  const back = committed(before, record("1.0.0", "good"), { keepPlace: true, at });
  assert.deepEqual(back.releases.map((r) => [r.id, r.status]), [["1.0.0", "good"], [
    "2.0.0",
    "good",
  ]]);
  assert.equal(back.active, "1.0.0");
  assert.equal(rollbackTarget(back), null);
});

Deno.test("undone(): only a release that was never good is bad", () => {
  const one = state("1.0.0", record("1.0.0", "good"));
  const pending = switching(
    withRelease(one, record("2.0.0", "installing")),
    "d",
    record("2.0.0", "installing"),
  );
  const back = undone(pending, "2.0.0", "why");
  assert.equal(back.pending, null);
  assert.deepEqual(back.releases.map((r) => [r.id, r.status, r.reason]), [
    ["1.0.0", "good", null],
    ["2.0.0", "bad", "why"],
  ]);
  assert.equal(
    undone(switching(one, "d", record("1.0.0", "good")), "1.0.0", "x").releases[0]?.status,
    "good",
  );
});

Deno.test("prunable(): keeps the active one and its predecessor", () => {
  const ids = (s: HostState, keep: number) => prunable(s, keep).map((r) => r.id);
  const six = state("6", ...["1", "2", "3", "4", "5", "6"].map((id) => record(id, "good")));
  assert.deepEqual(ids(six, 5), ["1"]);
  assert.deepEqual(ids(six, 2), ["1", "2", "3", "4"]);
  assert.deepEqual(ids(six, 0), ["1", "2", "3", "4"]);
  // After a rollback to the oldest: it stays although it is the oldest.
  assert.deepEqual(ids({ ...six, active: "1" }, 2), ["2", "3", "4", "5"]);
  const mixed = state(
    "1",
    record("1", "good"),
    record("2", "bad"),
    record("3", "installing"),
    record("4", "bad"),
    record("5", "bad"),
  );
  assert.deepEqual(ids(mixed, 5), ["2", "3"]);
  assert.deepEqual(without(mixed, prunable(mixed, 5)).releases.map((r) => r.id), ["1", "4", "5"]);
});

Deno.test("withoutSecrets(): leaves out the values of secrets", () => {
  const kept = withoutSecrets(MANIFEST);
  assert.equal(kept.env["SECRET"]?.value, null);
  assert.equal(kept.env["A"]?.value, "one");
  assert(!JSON.stringify(kept).includes("hidden"));
});

Deno.test("releaseSpec(): releases never share a run directory", () => {
  const [one, two] = [record("1.0.0", "good").spec, record("2.0.0", "good").spec];
  assert(one !== null && two !== null);
  assert.deepEqual(one.execution, {
    type: "managed_process",
    argv: ["/opt/web-1.0.0/scripts/start.sh"],
    start: "foreground",
    stopArgv: ["/opt/web-1.0.0/scripts/stop.sh"],
    reloadArgv: null,
    user: null,
    hardening: {},
  });
  assert.equal(one.envFile, "/opt/.harness/web/envs/1.0.0.env");
  assert.deepEqual(one.health?.probe, {
    type: "script",
    script: "/opt/web-1.0.0/scripts/health.sh",
  });
  assert.notEqual(one.runDir, two.runDir);
});

Deno.test("parseState(): output of an old record is in output/", () => {
  const release = record("1.0.0", "good");
  assert(release.spec !== null);
  const base = release.spec.logDir.replace(/\/output$/, "");
  const old = { ...release, spec: { ...release.spec, logDir: `${base}/log` } };
  const state = {
    ...emptyState("web"),
    pending: { deployment_id: "d", from: null, to: old },
    releases: [old],
  };
  const read = parseState(JSON.stringify(state), "web", "state.json");
  assert.equal(read.releases[0]?.spec?.logDir, `${base}/output`);
  assert.equal(read.pending?.to.spec?.logDir, `${base}/output`);
  const registered = {
    ...release.spec,
    runDir: "/var/lib/h/web-1",
    logDir: "/var/lib/h/web-1/log",
  };
  assert.deepEqual(upgradeSpec(registered), registered);
  assert.deepEqual(upgradeSpec(release.spec), release.spec);
});

Deno.test("releaseSpec(): containers and units", () => {
  const layout = hostLayout("/opt", "web.x");
  const of = (service: string, imageTar = false) =>
    releaseSpec({
      manifest: parseManifest(`name: web.x\nversion: 1.0.0\nservice: ${service}\n`, "m.yaml"),
      layout,
      release: { id: "1.0.0", dir: "/opt/web_x-1.0.0" },
      envName: "e",
      ports: [],
      files: { stopScript: false, reloadScript: false, imageTar },
    }).execution;
  assert.deepEqual(of("{type: docker_container, image: 'nginx:1'}", true), {
    type: "docker_container",
    image: "nginx:1",
    imageTar: "/opt/web_x-1.0.0/image.tar",
    container: "web_x",
  });
  assert.deepEqual(of("{type: systemd_service, unit: nginx.service}"), {
    type: "systemd_service",
    unit: "nginx.service",
    claim: true,
  });
});

Deno.test("recoveryScript(): is valid sh for every service", async () => {
  const hostile = record("2.0.0", "bad", { reason: 'it\'s $HOME `x` \\ "q"\nnext' });
  const place = { layout: hostLayout("/tmp/it's here", "web"), token: "d-1.x" };
  const one = record("1.0.0", "good");
  assert(one.spec !== null && hostile.spec !== null);
  const executions = [
    one.spec.execution,
    { type: "docker_container", image: "i", imageTar: null, container: "c" },
    { type: "systemd_service", unit: "u.service" },
    { type: "systemd_portable", image: "p", unit: "u.service" },
  ] as const;
  for (const systemd of [true, false]) {
    for (const execution of executions) {
      const script = recoveryScript({
        place,
        stop: { spec: { ...hostile.spec, execution }, unit: systemd },
        back: {
          dir: one.dir,
          envName: "1.env",
          owner: "nobody",
          spec: { ...one.spec, execution },
          unit: systemd,
          start: true,
        },
        state: state("1.0.0", one, hostile),
      });
      const child = new Deno.Command("sh", { args: ["-n"], stdin: "piped", stderr: "piped" })
        .spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(script));
      await writer.close();
      const { success, stderr } = await child.output();
      assert(success, new TextDecoder().decode(stderr));
      assert(!script.includes("s3cret"));
    }
  }
});

Deno.test("parseFacts(): reads facts and refuses chatter", () => {
  const facts = parseFacts(
    "motd=hello\n@facts\narch=aarch64\nuid=0\nlogin=root\nplace=b h 1:2\nfree_kb=10\nsame_fs=no\nrecover=yes\ncurrent=/opt/web-1=2\n" +
      "dir=yes\nforced_dir=no\ncached=\nsystemd=yes\nengine=systemd does not run there\nuser=no\nwritable=yes\nmissing_command=a\nmissing_command=b\n" +
      "missing_library=c\nstate=yes\n@state\n{\n}\n",
    "h",
  );
  assert.deepEqual(facts, {
    arch: "aarch64",
    uid: 0,
    login: "root",
    place: "b h 1:2",
    freeBytes: 10240,
    sameFileSystem: false,
    recoveryDue: true,
    current: "/opt/web-1=2",
    dirExists: true,
    forcedDirExists: false,
    cached: null,
    systemd: true,
    engineProblem: "systemd does not run there",
    userExists: false,
    writable: true,
    missingCommands: ["a", "b"],
    missingLibraries: ["c"],
    stateText: "{\n}\n",
  });
  assert.equal(parseFacts("@facts\nstate=no\n@state\n", "h").stateText, null);
  assert.equal(parseFacts("@facts\nstate=yes\n@state\n", "h").stateText, "");
  assert.throws(() => parseFacts("This account is disabled.\n", "h"), /Cannot read the facts/);
});

Deno.test("toFailure(): keeps known errors, hides unknown ones", () => {
  const place = { host: "h", step: "health", instance: null, log: null } as const;
  const known = new HarnessError("unavailable", "Cannot start web", { details: { exit_code: 3 } });
  const failure = toFailure(known, place);
  assert.equal(failure.code, "deploy_failed");
  assert.equal(failure.details?.["exit_code"], 3);
  assert.equal(failure.details?.["step"], "health");
  const inner = toFailure(new Error("password=x"), place);
  assert.equal(inner.code, "internal");
  assert(!JSON.stringify(inner).includes("password"));
  assert.equal(toFailure(new DOMException("stop", "AbortError"), place).code, "cancelled");
  assert.equal(toFailure(new DOMException("late", "TimeoutError"), place).code, "timeout");
});

Deno.test("ProgressQueue: drops only progress, keeps the order", async () => {
  const event = (n: number, status: DeployProgress["status"]): DeployProgress => ({
    deployment_id: "d",
    service: "s",
    host: "h",
    step: "upload",
    status,
    bytes: n,
    at: "",
  });
  const queue = new ProgressQueue();
  queue.push(event(0, "started"));
  for (let i = 1; i <= DEPLOY_EVENT_QUEUE + 5; i++) queue.push(event(i, "progress"));
  queue.push(event(-1, "done"));
  queue.close();
  const seen = await Array.fromAsync(queue);
  assert.equal(seen[0]?.status, "started");
  assert.equal(seen.at(-1)?.status, "done");
  assert(seen.length < DEPLOY_EVENT_QUEUE);
  const bytes = seen.slice(1, -1).map((e) => e.bytes ?? 0);
  assert.deepEqual(bytes, bytes.toSorted((a, b) => a - b));
});
