/** The programs of docs/protocol.md in other languages, as they stand there. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { LineProcess } from "../helpers/lines.ts";
import { type Component, needs } from "../helpers/require.ts";
import { runProgram } from "../helpers/sshd.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";
import { pythonDir } from "./clients.ts";

const PAGE = new URL("../../docs/protocol.md", import.meta.url);
const GO = new URL("./go/", import.meta.url);
const TOKEN = "a-token-for-the-snippets";

/** The only block of a language in the part of the page that has them, for a server at `url`. */
async function snippet(language: string, url: string): Promise<string> {
  const page = await Deno.readTextFile(PAGE);
  const part = page.slice(page.indexOf("\n## In other languages\n"));
  const blocks = [...part.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))];
  assert.equal(blocks.length, 1, `one block in ${language}`);
  const code = blocks[0]?.[1] ?? "";
  const address = /(ws|http):\/\/127\.0\.0\.1:8080/;
  assert.match(code, address);
  return code.replace(
    address,
    (found) => found.startsWith("ws") ? url : url.replace(/^ws/, "http"),
  );
}

interface Language {
  readonly name: string;
  readonly needs: readonly Component[];
  /** Writes the program into a directory, and returns how to run it. */
  prepare(code: string, dir: string): Promise<[string, ...string[]]>;
}

const LANGUAGES: readonly Language[] = [
  {
    name: "java",
    needs: ["java"],
    async prepare(code, dir) {
      await Deno.writeTextFile(join(dir, "Follow.java"), code);
      return ["java", join(dir, "Follow.java")];
    },
  },
  {
    name: "go",
    needs: ["go"],
    async prepare(code, dir) {
      await Deno.writeTextFile(join(dir, "main.go"), code);
      for (const file of ["go.mod", "go.sum"]) {
        await Deno.copyFile(new URL(file, GO), join(dir, file));
      }
      await runProgram("go", ["build", "-o", join(dir, "follow"), "."], { cwd: dir });
      return [join(dir, "follow")];
    },
  },
  {
    name: "python",
    needs: ["python3", "venv"],
    async prepare(code, dir) {
      await Deno.writeTextFile(join(dir, "follow.py"), code);
      return [`${await pythonDir()}/venv/bin/python`, join(dir, "follow.py")];
    },
  },
];

for (const { name, needs: components, prepare } of LANGUAGES) {
  Deno.test({
    name: `docs/protocol.md: the program in ${name} follows`,
    ignore: needs(...components),
    async fn() {
      for (const listener of LISTENERS) {
        await using dir = await tempDir();
        await using running = await startServer({ listener, auth: { tokens: [TOKEN] } });
        const [command, ...args] = await prepare(await snippet(name, running.url), dir.path);
        const env = { HARNESS_TOKEN: TOKEN };
        await using program = new LineProcess(command, args, { env });
        const seen = async () => {
          const { event, id } = JSON.parse(await program.line());
          return event ?? `answer ${id}`;
        };
        const first = [await seen(), await seen(), await seen(), await seen()];
        assert.deepEqual(first, ["hello", "answer 1", "registry_loaded", "bookmark"]);
        await running.registry.register(service("web"));
        assert.equal(await seen(), "service_registered");
      }
    },
  });
}

Deno.test({
  name: "docs/protocol.md: curl shows the handshake and the hello",
  ignore: needs("curl"),
  async fn() {
    for (const listener of LISTENERS) {
      await using running = await startServer({ listener, auth: { tokens: [TOKEN] } });
      const code = await snippet("sh", running.url);
      const child = new Deno.Command("sh", {
        args: ["-c", `exec ${code}`],
        env: { HARNESS_TOKEN: TOKEN },
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      let text = "";
      for await (const chunk of child.stdout) {
        text += new TextDecoder("latin1").decode(chunk);
        if (text.includes('"capabilities"')) break;
      }
      assert.match(text, /^HTTP\/1\.1 101 [\s\S]*"event":"hello"/);
      child.kill();
      await child.status;
    }
  },
});
