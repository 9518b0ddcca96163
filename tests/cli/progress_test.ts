import assert from "node:assert/strict";
import type { Progress } from "../../src/cli/output/progress.ts";
import { openProgressView } from "../../src/cli/output/progress_view.ts";
import { Screen } from "../../src/cli/output/screen.ts";
import { drawn } from "../../src/cli/output/styles.ts";
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
