/** examples/python_client.py: a client written from docs/protocol.md, through a bad network and restarts. */
import assert from "node:assert/strict";
import { RegistryClient } from "../../src/client/mod.ts";
import { FlakyNetwork } from "../client/flaky_network.ts";
import { KillableServer } from "../client/killable_server.ts";
import { LineProcess } from "../helpers/lines.ts";
import { eventually } from "../helpers/raw_client.ts";
import { needs } from "../helpers/require.ts";
import { service } from "../helpers/test_server.ts";
import { pythonDir } from "./clients.ts";

const FILE = new URL("../../examples/python_client.py", import.meta.url).pathname;
const TOKEN = "a-token-for-the-python-client";

interface PrintedEvent {
  readonly event: string;
  readonly seq: number;
  readonly data: { readonly id?: string; readonly more?: boolean };
}

/** The program, whose events must have no gap and no repetition. */
class PythonClient implements AsyncDisposable {
  readonly #process: LineProcess;
  #seq = -1;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  static async start(args: readonly string[]): Promise<PythonClient> {
    const python = `${await pythonDir()}/venv/bin/python`;
    const env = { HARNESS_TOKEN: TOKEN };
    return new PythonClient(new LineProcess(python, ["-u", FILE, ...args], { env }));
  }

  /** Reads until an event of that name, of that entry if one is given. */
  async until(event: string, id?: string): Promise<void> {
    for (;;) {
      const printed = JSON.parse(await this.#process.line()) as PrintedEvent;
      if (printed.event !== "registry_loaded") assert.equal(printed.seq, this.#seq + 1);
      this.#seq = printed.seq;
      if (printed.event === event && (id === undefined || printed.data.id === id)) return;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}

Deno.test({
  name: "python_client.py: no event is lost, whatever breaks",
  ignore: needs("python3", "venv"),
  async fn() {
    await using server = await KillableServer.start(TOKEN);
    await using network = new FlakyNetwork(server.url);
    await using ops = await RegistryClient.connect(server.url, { token: TOKEN });
    const wait = { waitForConnection: true };
    const register = (name: string) => ops.registerService(service(name), wait);
    await register("before");
    await using client = await PythonClient.start([network.url, "worker", "10.0.0.7:9000"]);
    await client.until("registry_loaded");
    const isUp = async () => {
      const { state } = await ops.getService("worker", wait);
      return state === "running";
    };
    await eventually(isUp, "the heartbeat makes it running");

    // The network breaks, and something changes before it is back.
    network.cut();
    await register("during-the-cut");
    await client.until("service_registered", "during-the-cut");

    // The server is killed, and comes back with the same state.
    await server.kill();
    await server.start();
    await register("after-the-kill");
    await client.until("service_registered", "after-the-kill");
    await eventually(isUp, "the lease is held after a restart");

    // It comes back with another history: then everything is new.
    await server.kill();
    await server.wipe();
    await server.start();
    await register("another-epoch");
    await client.until("registry_loaded");
  },
});

Deno.test({
  name: "python_client.py: ends with the server's reason",
  ignore: needs("python3", "venv"),
  async fn() {
    await using server = await KillableServer.start("another-token-that-it-does-not-have");
    const { code, stderr } = await new Deno.Command(`${await pythonDir()}/venv/bin/python`, {
      args: [FILE, server.url],
      env: { HARNESS_TOKEN: TOKEN },
    }).output();
    assert.match(new TextDecoder().decode(stderr), /^unauthorized: [^\n]*token is wrong\n$/);
    assert.equal(code, 1);
  },
});

Deno.test("python_client.py: is short", async () => {
  const lines = (await Deno.readTextFile(FILE)).trimEnd().split("\n");
  assert.ok(lines.length <= 150, `${lines.length} lines`);
});
