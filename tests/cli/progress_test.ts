import assert from "node:assert/strict";
import { Writable } from "node:stream";
import type process from "node:process";
import { listrView } from "../../src/cli/output/listr_view.ts";
import type { Progress } from "../../src/cli/output/progress.ts";
import { openProgressView } from "../../src/cli/output/progress_view.ts";
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
  await view.end();
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
  await view.end();
  const events = io.text.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(events, JSON.parse(JSON.stringify(STORY)));
});

/** A terminal that remembers. */
class Terminal extends Writable {
  readonly isTTY = true;
  readonly columns = 60;
  readonly rows = 20;
  text = "";
  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.text += new TextDecoder().decode(chunk);
    done();
  }
}

Deno.test("progress: on a terminal, one line per host", async () => {
  const terminal = new Terminal();
  const view = listrView(["web1", "web2"], terminal as unknown as typeof process.stderr);
  for (const event of STORY) {
    view.show(event);
    // Let it draw.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await view.end();
  // deno-lint-ignore no-control-regex -- escape sequences are what a terminal gets
  const last = terminal.text.split("\x1b[?2026h").at(-1)?.replace(/\x1b\[[0-9;?]*[a-zA-Z]/g, "");
  const lines = (last ?? "").split("\n").filter((line) => line.trim() !== "");
  assert.equal(lines.length, 2, terminal.text);
  assert.match(lines[0] ?? "", /web1 {2}finish {2}ok/);
  assert.match(lines[1] ?? "", /web2 {2}finish {2}unreachable/);
  assert.ok(terminal.text.includes("\x1b[?25h"));
  assert.equal(terminal.text.includes("\x1b[2J"), false);
});
