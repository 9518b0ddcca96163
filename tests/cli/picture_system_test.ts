import assert from "node:assert/strict";
import { runProgram } from "../helpers/sshd.ts";
import { needs } from "../helpers/require.ts";
import { terminalPicture } from "../tools/terminal_picture.ts";

/** The texts of a picture with their colours, without what differs from run to run. */
function structure(svg: string): string[] {
  return Array.from(svg.matchAll(/<text [^>]*fill="(#\w+)"[^>]*>([^<]*)<\/text>/g), (match) => {
    const text = (match[2] ?? "").replace(/\d[\d.]*(?:m\d+)?/g, "0").replace(/[KMG]iB/g, "MiB");
    return `${match[1]} ${text.replace(/^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/, "⠋")}`;
  });
}

Deno.test("docs/terminal.svg: what `deno task picture` draws", {
  ignore: needs("busybox", "dropbear", "root", "python3"),
}, async () => {
  const svg = await terminalPicture();
  const parse = "import sys, xml.dom.minidom; xml.dom.minidom.parseString(sys.argv[1])";
  await runProgram("python3", ["-c", parse, svg]);
  const kept = await Deno.readTextFile(new URL("../../docs/terminal.svg", import.meta.url));
  assert.deepEqual(structure(svg), structure(kept), "run `deno task picture`");
  assert.doesNotMatch(svg, /<(script|image|foreignObject)|href=|url\(/);
});
