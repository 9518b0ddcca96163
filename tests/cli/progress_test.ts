import assert from "node:assert/strict";
import { hostLine } from "../../src/cli/output/deployment/host_line.ts";
import { HostProgress } from "../../src/cli/output/deployment/host_progress.ts";
import type { Progress } from "../../src/cli/output/deployment/progress.ts";
import { openProgressView } from "../../src/cli/output/deployment/progress_view.ts";
import { Screen } from "../../src/cli/output/screen.ts";
import { drawn } from "../../src/cli/output/styles.ts";
import { textWidth } from "../../src/cli/output/text_layout.ts";
import { recorder } from "../helpers/cli.ts";

const AT = "2026-01-01T00:00:00.000Z";

function progress(more: Partial<Progress>): Progress {
  return {
    deployment_id: "d-1",
    service: "svc",
    host: "web1",
    step: "upload",
    status: "done",
    at: AT,
    ...more,
  };
}

const STORY: Progress[] = [
  progress({ step: "connect", status: "started" }),
  progress({ step: "connect" }),
  progress({ status: "started" }),
  progress({ status: "progress", percent: 50, bytes: 512, total_bytes: 1024 }),
  progress({ bytes: 1024, total_bytes: 1024 }),
  progress({
    host: "web2",
    step: "connect",
    status: "failed",
    error: { code: "unreachable", message: "refused\x1b[2J\nagain" },
  }),
  progress({ host: "web2", step: "finish", status: "failed", outcome: "unreachable" }),
  progress({ step: "finish", outcome: "ok" }),
  progress({ host: null, step: "finish", deployment_status: "partial" }),
];

Deno.test("progress: without a terminal, plain lines on stderr", async () => {
  const io = recorder();
  const view = await openProgressView(io, ["web1", "web2"], { json: false });
  STORY.forEach((event) => view.show(event));
  view.end();
  assert.equal(io.text.stdout, "");
  assert.equal(
    io.text.stderr,
    [
      "web1      connect    done",
      "web1      upload     started",
      "web1      upload     done     1KiB of 1KiB",
      "web2      connect    failed   refused\\x1b[2J\\x0aagain",
      "web2      finish     unreachable",
      "web1      finish     ok",
      "",
    ].join("\n"),
  );
});

Deno.test("progress: --json prints each event as a line of JSON", async () => {
  const io = recorder();
  const view = await openProgressView(io, ["web1"], { json: true });
  STORY.forEach((event) => view.show(event));
  view.end();
  const events = io.text.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(events, JSON.parse(JSON.stringify(STORY)));
});

/** What is on a screen of this size after the events, with the times as they are at once. */
function shown(
  hosts: readonly string[],
  events: readonly Progress[],
  options: { columns: number; rows?: number; color?: boolean; unicode?: boolean },
): Promise<string[]> {
  const { columns, rows = 24, color = false, unicode = true } = options;
  let text = "";
  const screen = new Screen((more) => text += drawn(more), () => ({ columns, rows }));
  const io = { ...recorder(), screen, errColor: color, unicode };
  return openProgressView(io, hosts, { json: false }).then((view) => {
    events.forEach((event) => view.show(event));
    view.end();
    // The last frame: after the last jump back to the first line.
    const last = text.slice(text.lastIndexOf("A") + 1).replaceAll("\x1b[K", "");
    return last.replace("\x1b[J", "").split("\n").slice(0, -1);
  });
}

Deno.test("progress: on a terminal, one line per host", async () => {
  assert.deepEqual(await shown(["web1", "web2"], STORY, { columns: 60 }), [
    "✓ web1  ok               0s  ████████████████████████ 100%",
    "✗ web2  unreachable      0s  at connect: refused\\x1b[2J\\x0…",
  ]);
  const [web1] = await shown(["web1", "web2"], STORY.slice(0, 4), { columns: 100 });
  assert.equal(
    web1,
    "⠙ web1  upload           0s  ██████░░░░░░░░░░░░░░░░░░  26%  512B of 1KiB",
  );
});

Deno.test("progress: bar, speed, bytes and time of an upload", () => {
  const host = new HostProgress("web1");
  const events: Array<[number, Partial<Progress>]> = [
    [0, { step: "connect", status: "started" }],
    [1000, { status: "started" }],
    [2000, { status: "progress", percent: 10, bytes: 10 << 20, total_bytes: 100 << 20 }],
    [4000, { status: "progress", percent: 50, bytes: 50 << 20, total_bytes: 100 << 20 }],
  ];
  for (const [now, event] of events) host.take(progress(event), now);
  assert.equal(host.speed, 20 << 20);
  const line = (columns: number) =>
    hostLine(host, { columns, hostWidth: 8, color: false, unicode: true }, {
      now: 65_000,
      frame: 0,
    });
  assert.deepEqual([59, 99, 159].map(line), [
    "⠋ web1      upload        1m05s  ███░░░░░░░░░  26%  20MiB/s",
    "⠋ web1      upload        1m05s  ██████░░░░░░░░░░░░░░░░░░  26%  20MiB/s  50MiB of 100MiB",
    "⠋ web1      upload        1m05s  ██████░░░░░░░░░░░░░░░░░░  26%  20MiB/s  50MiB of 100MiB",
  ]);
});

Deno.test("progress: ASCII where the locale is not UTF-8", async () => {
  const [web1] = await shown(["web1"], STORY.slice(0, 4), { columns: 80, unicode: false });
  assert.equal(web1, "/ web1  upload           0s  ######------------------  26%  512B of 1KiB");
});

Deno.test("progress: colours only where they are wanted", async () => {
  const plain = await shown(["web1", "web2"], STORY, { columns: 80 });
  const colored = await shown(["web1", "web2"], STORY, { columns: 80, color: true });
  // deno-lint-ignore no-control-regex -- colours are control sequences
  assert.deepEqual(colored.map((line) => line.replace(/\x1b\[\d+m/g, "")), plain);
  assert.ok(colored[0]?.startsWith("\x1b[32m✓\x1b[0m web1  \x1b[32mok"), colored[0]);
  assert.ok(colored[1]?.startsWith("\x1b[31m✗"), colored[1]);
});

/** 200 hosts: 120 ok, 2 failed, 10 under way, the others waiting. */
function fleet(): { hosts: string[]; events: Progress[] } {
  const hosts = Array.from({ length: 200 }, (_, index) => `web${index}`);
  const events = hosts.slice(0, 132).map((host) => progress({ host, status: "started" }));
  for (const [index, host] of hosts.slice(0, 122).entries()) {
    const outcome = index < 120 ? "ok" : "failed";
    events.push(progress({ host, step: "finish", outcome }));
  }
  return { hosts, events };
}

Deno.test("progress: more hosts than rows are counted", async () => {
  const { hosts, events } = fleet();
  for (const columns of [60, 100, 160]) {
    const lines = await shown(hosts, events, { columns, rows: 24 });
    assert.equal(lines.length, 23);
    assert.equal(lines[0], "200 hosts: 120 ok, 2 failed, 10 under way, 68 waiting");
    // All that are under way, and what failed.
    assert.equal(lines.filter((line) => line.includes(" upload ")).length, 10);
    assert.equal(lines.filter((line) => line.includes(" failed ")).length, 2);
    for (const line of lines) assert.ok(textWidth(line) < columns, line);
  }
  for (const columns of [1, 2, 8, 20, 39, 40, 41]) {
    for (const rows of [1, 2, 3]) {
      const lines = await shown(hosts, events, { columns, rows });
      assert.equal(lines.length, Math.max(1, rows - 1));
      for (const line of lines) assert.ok(textWidth(line) <= Math.max(1, columns - 1), line);
    }
  }
});

Deno.test("progress: wide and control characters in names", async () => {
  const names = ["日本語サーバー", "a\x1b[2Jb", "👩‍💻 box", "x".repeat(80)];
  for (const columns of [60, 100, 160]) {
    const lines = await shown(names, [progress({ host: names[0] ?? "" })], { columns });
    assert.equal(lines.length, 4);
    for (const line of lines) {
      assert.ok(textWidth(line) < columns, line);
      // deno-lint-ignore no-control-regex -- none may reach the terminal
      assert.doesNotMatch(line, /[\x00-\x1f]/);
    }
    assert.match(lines[1] ?? "", /a\\x1b\[2Jb/);
  }
});

Deno.test("screen: other output is written above the lines", () => {
  let text = "";
  const screen = new Screen((more) => text += drawn(more), () => ({ columns: 20, rows: 5 }));
  const write = (more: string) => screen.above(() => text += more);
  write("before\n");
  screen.draw(["one", "two"]);
  text = "";
  write("a log line\n");
  assert.equal(text, "\r\x1b[2A\x1b[Ja log line\n\rone\x1b[K\ntwo\x1b[K\n\x1b[J");
  screen.release();
  text = "";
  write("after\n");
  assert.equal(text, "after\n");
});

Deno.test("screen: a narrower window has wrapped the lines", () => {
  let text = "";
  let columns = 20;
  const screen = new Screen((more) => text += drawn(more), () => ({ columns, rows: 9 }));
  screen.draw(["x".repeat(19), "short"]);
  columns = 10;
  text = "";
  screen.draw(["y"]);
  assert.equal(text, "\r\x1b[3Ay\x1b[K\n\x1b[J");
});
