import assert from "node:assert/strict";
import { reportDeployment } from "../../src/cli/output/deployment/deployment_report.ts";
import { textWidth } from "../../src/cli/output/text_layout.ts";
import type { Deployment, DeploymentHost } from "../../src/protocol/actions.ts";
import { recorder } from "../helpers/cli.ts";

function deployment(
  hosts: DeploymentHost[],
  status: Deployment["status"] = "failed",
): Deployment {
  return {
    deployment_id: "d-1",
    package: "x-1.0.0.tar.gz",
    service: "x",
    version: "1.0.0",
    kind: "deploy",
    status,
    started_at: "2026-01-01T00:00:00.000Z",
    finished_at: "2026-01-01T00:01:00.000Z",
    hosts,
  };
}

const TIMES = { started_at: "2026-01-01T00:00:00.000Z", finished_at: "2026-01-01T00:01:04.000Z" };

function unknownKey(host: string): DeploymentHost {
  const fingerprint = `SHA256:${host.slice(3).padEnd(43, "x")}`;
  return {
    host,
    outcome: "unreachable",
    step: "connect",
    ...TIMES,
    error: {
      code: "unreachable",
      message:
        `Cannot reach ${host} port 22: its host key ssh-ed25519 ${fingerprint} is not known as ` +
        `${host} in /root/.ssh/known_hosts; compare it with \`ssh-keygen -lf\` on the host and add it with ` +
        `\`ssh-keyscan -t ed25519 -p 22 ${host} >> /root/.ssh/known_hosts\``,
      details: {
        ...{ host, address: host, port: 22, step: "host_key", reason: "host_key_unknown" },
        ...{ key_type: "ssh-ed25519", fingerprint },
      },
    },
  };
}

/** What is printed on a terminal of this width, or into a pipe. */
function printed(
  hosts: DeploymentHost[],
  columns: number | null = null,
  status: Deployment["status"] = "failed",
) {
  const io = recorder();
  const terminal = columns === null ? {} : { outIsTerminal: true, columns };
  reportDeployment({ ...io, ...terminal, errColumns: columns }, deployment(hosts, status), {
    json: false,
  });
  return io.text;
}

Deno.test("deployment report: a table of all hosts, with times", () => {
  const { stdout, stderr } = printed(
    [
      { host: "web1", outcome: "ok", step: "finish", ...TIMES },
      { host: "web2", outcome: null, step: null },
    ],
    null,
    "interrupted",
  );
  assert.equal(
    stdout,
    "HOST  OUTCOME  STEP    TIME\nweb1  ok       finish  1m04s\nweb2  -        -       -\n",
  );
  assert.equal(stderr, "d-1: deploy of x 1.0.0 interrupted (1 ok, 1 not finished)\n");
});

for (const columns of [60, 100, 160]) {
  Deno.test(`deployment report: whole messages at ${columns} columns`, () => {
    const host = unknownKey("web1");
    const { stderr } = printed([host], columns);
    const lines = stderr.split("\n");
    // Wrapped between words alone: all of them are there, in order.
    const words = stderr.split(/\s+/).join(" ");
    assert.ok(words.includes(host.error?.message ?? "?"), stderr);
    for (const line of lines) {
      assert.ok(textWidth(line) <= columns || !line.trim().includes(" "), line);
    }
    assert.match(lines[2] ?? "", /^ {2}Cannot reach web1/);
    for (const line of lines.slice(3, lines.indexOf(""))) assert.match(line, /^ {4}\S/);
  });
}

Deno.test("deployment report: not wrapped in a pipe", () => {
  const host = unknownKey("web1");
  const { stderr } = printed([host]);
  assert.equal(
    stderr,
    `\nweb1: unreachable at connect [unreachable]\n  ${host.error?.message}\n\n` +
      "d-1: deploy of x 1.0.0 failed\n",
  );
});

Deno.test("deployment report: one failure of 50 hosts is printed once", () => {
  const hosts = Array.from({ length: 50 }, (_, index) => unknownKey(`web${index + 10}`));
  const { stderr } = printed(hosts, 100);
  assert.equal(stderr.match(/Cannot reach/g)?.length, 1, stderr);
  assert.match(stderr, /^50 hosts: unreachable at connect \[unreachable\]\n {2}web10, web11, /m);
  // What is each host's own is there for all of them.
  assert.equal(stderr.match(/^ {2}web\d+: fingerprint SHA256:\d+x+$/gm)?.length, 50, stderr);
});

Deno.test("deployment report: different failures are not put together", () => {
  const failed = (host: string, code: number): DeploymentHost => ({
    host,
    outcome: "rolled_back",
    step: "start",
    error: {
      code: "deploy_failed",
      message: `Cannot start x on ${host}: the program exited with code ${code} at once`,
      details: { host, step: "start", next: `check its log on ${host}`, log: [`line of ${host}`] },
    },
  });
  const { stderr } = printed([failed("web1", 1), failed("web2", 7), failed("web3", 7)]);
  assert.match(stderr, /^web1: rolled_back at start .*\n.* code 1 at once$/m);
  assert.match(
    stderr,
    /^2 hosts: rolled_back at start .*\n {2}web2, web3\n.*web2.* code 7 at once$/m,
  );
  assert.match(stderr, /^ {2}next: check its log on web2$/m);
  assert.match(stderr, /^ {2}last log lines of web2:\n {4}line of web2$/m);
});

Deno.test("deployment report: text of others cannot draw", () => {
  const { stdout, stderr } = printed([{
    host: "a\x1b[2J",
    outcome: "failed",
    step: "start",
    error: {
      code: "x",
      message: "bad\x1b[31m\u202e",
      details: { "k\x07": "v\x1b", log: ["l\x1b"] },
    },
  }], 60);
  // deno-lint-ignore no-control-regex -- none of these may reach the terminal
  assert.doesNotMatch(stdout + stderr, /[\x00-\x09\x0b-\x1f\u202e]/);
});

Deno.test("deployment report: why a host was not begun", () => {
  const host = (name: string, outcome: DeploymentHost["outcome"]): DeploymentHost => ({
    host: name,
    outcome,
    step: outcome === "skipped" || outcome === "cancelled" ? null : "health",
  });
  const why = (hosts: DeploymentHost[], status?: Deployment["status"]) =>
    printed(hosts, null, status).stderr.split("\n").find((line) => line.includes("not begun"));
  assert.equal(
    why([host("a", "rolled_back"), host("b", "unreachable"), host("c", "skipped")]),
    "c: not begun: a was rolled back",
  );
  assert.equal(
    why([host("a", "unreachable"), host("c", "skipped")]),
    "c: not begun: a was unreachable",
  );
  assert.equal(
    why([host("a", "failed"), host("b", "failed"), host("c", "skipped"), host("d", "skipped")]),
    "2 hosts: not begun: a failed, and 1 more did not go well",
  );
  assert.equal(
    why([host("a", "ok"), host("c", "cancelled")], "cancelled"),
    "c: not begun: the deployment was cancelled",
  );
});
