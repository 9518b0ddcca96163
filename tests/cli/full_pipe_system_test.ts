/** Output into a pipe that does not block and whose reader is slow: as Node leaves one to what it starts. */
import assert from "node:assert/strict";
import { programCommand, runCli } from "../helpers/cli.ts";
import { needs } from "../helpers/require.ts";

/** Reads nothing until the pipe is full, and then a little at a time. */
const SLOW_READER = `
import fcntl, os, struct, subprocess, sys, termios, time
read, write = os.pipe()
fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
os.set_blocking(write, False)
child = subprocess.Popen(sys.argv[1:], stdout=write)
os.close(write)
waiting = lambda: struct.unpack("i", fcntl.ioctl(read, termios.FIONREAD, b"1234"))[0]
while waiting() < 4096 and child.poll() is None:
    time.sleep(0.01)
print(waiting(), file=sys.stderr)
while True:
    some = os.read(read, 500)
    if not some:
        break
    sys.stdout.buffer.write(some)
sys.exit(child.wait())
`;

Deno.test({
  name: "output: whole in a full pipe that does not block",
  ignore: needs("python3"),
  async fn() {
    const words = ["serve", "--help"];
    const { stdout: expected } = await runCli(words);
    assert.ok(expected.length > 4096, "more than the pipe holds");
    const { program, args, env } = programCommand(words);
    const { code, stdout, stderr } = await new Deno.Command("python3", {
      args: ["-c", SLOW_READER, program, ...args],
      clearEnv: true,
      env,
    }).output();
    const text = new TextDecoder();
    assert.equal(text.decode(stderr), "4096\n", "it was full");
    assert.equal(text.decode(stdout), expected);
    assert.equal(code, 0);
  },
});
