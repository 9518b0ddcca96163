import assert from "node:assert/strict";
import { type CliResult, runCli, RunningCli, startServer } from "../helpers/cli.ts";
import { needs } from "../helpers/require.ts";
import { type Sshd, startSshd } from "../helpers/sshd.ts";
import { fixture, lines } from "./deploy_fixture.ts";

function sshFlags(sshd: Sshd, root: string): string[] {
  return [
    ...["--identity", sshd.identityFile, "--known-hosts", sshd.knownHostsFile],
    ...["--ssh-config", "none", "--install-root", root],
  ];
}

Deno.test({
  name: "deploy: exit codes over SSH through a server",
  ignore: needs("sshd"),
  fn: async (t) => {
    await using sshd = await startSshd();
    await using it = await fixture();
    await using server = await startServer(sshFlags(sshd, it.root));
    const env = { HARNESS_URL: server.url };
    const run = (...args: string[]): Promise<CliResult> => runCli(args, { env });
    const host = `${sshd.user}@${sshd.host}:${sshd.port}`;
    const version = async () =>
      JSON.parse((await run("service", "get", "svc", "--json")).stdout).version;
    try {
      await t.step("a first deployment uploads, follows and reports", async () => {
        const { code, stdout, stderr } = await run("deploy", it.file("1.0.0"), "--host", host);
        assert.equal(code, 0, stderr);
        assert.match(
          stdout,
          new RegExp(`^HOST +OUTCOME +STEP +TIME\n${host} +ok +finish +\\d+s\n$`),
        );
        for (const step of ["connect", "upload", "verify", "switch", "start", "health", "commit"]) {
          assert.match(stderr, new RegExp(`^${host} +${step} +done`, "m"));
        }
        assert.match(stderr, /^uploading svc-1\.0\.0\.tar\.gz/);
        assert.match(stderr, /^d-\S+: deploy of svc 1\.0\.0 succeeded$/m);
        assert.equal(stderr.includes("\x1b"), false);
      });
      await t.step("--json prints every event and at last the deployment", async () => {
        const secret = `${it.dir}/secret`;
        await Deno.writeTextFile(secret, "swordfish\n");
        const args = ["--env", "A=1", "--secret-file", `PASSWORD=${secret}`, "--json"];
        const { code, stdout, stderr } = await run(
          "deploy",
          it.file("2.0.0"),
          "--host",
          host,
          ...args,
        );
        assert.equal(code, 0, stderr);
        const all = lines(stdout);
        const last = all.pop();
        assert.equal(last?.["status"], "succeeded");
        assert.ok(all.some((event) => event["step"] === "upload" && event["status"] === "done"));
        assert.equal(all.at(-1)?.["deployment_status"], "succeeded");
        assert.equal((stdout + stderr + server.cli.stderr).includes("swordfish"), false);
      });
      await t.step(
        "a version that does not start is rolled back: 6, with its last log lines",
        async () => {
          const { code, stdout, stderr } = await run("deploy", it.file("3.0.0"), "--host", host);
          assert.equal(code, 6, stderr);
          assert.match(stdout, /rolled_back/);
          assert.match(stderr, /no such config/);
          assert.equal(await version(), "2.0.0");
        },
      );
      await t.step("rollback goes to the last good version", async () => {
        const { code, stderr } = await run("rollback", "svc", "--quiet");
        assert.equal(code, 0, stderr);
        assert.match(stderr, /^d-\S+: rollback of svc 1\.0\.0 succeeded\n$/);
        assert.equal(await version(), "1.0.0");
      });
      await t.step(
        "Ctrl-C stops following, the deployment goes on and can be cancelled",
        async () => {
          await using cli = new RunningCli(["deploy", it.file("4.0.0"), "--host", host], { env });
          await cli.until((it) => /health +started/.test(it.stderr));
          cli.kill("SIGINT");
          const { code, stderr } = await cli.end();
          assert.equal(code, 130, stderr);
          const id = /deployments follow (d-\S+)/.exec(stderr)?.[1] ?? "";
          await using follower = new RunningCli(["deployments", "follow", id], { env });
          const cancel = await run("deployments", "cancel", id);
          assert.equal(cancel.stdout, `${id} is being cancelled\n`);
          const followed = await follower.end();
          assert.equal(followed.code, 1, followed.stderr);
          assert.match(followed.stdout, /cancelled/);
          const shown = await run("deployments", "show", id, "--json");
          assert.equal(shown.code, 1);
          assert.equal(JSON.parse(shown.stdout).status, "cancelled");
          assert.equal(await version(), "1.0.0");
        },
      );
      await t.step("--detach prints the id alone; packages are held by the server", async () => {
        const { code, stdout } = await run("deploy", "svc@2.0.0", "--host", host, "--detach");
        assert.equal(code, 0);
        assert.match(stdout, /^d-\S+\n$/);
        const followed = await run("deployments", "follow", stdout.trim());
        assert.equal(followed.code, 0, followed.stderr);
        const packages = await run("package", "list");
        assert.match(packages.stdout, /^svc +4\.0\.0 /m);
        const list = await run("deployments", "--limit", "2");
        assert.equal(list.stdout.trimEnd().split("\n").length, 3);
      });
      await t.step("a host that refuses is 4, some hosts that do are 3", async () => {
        const dead = "nobody@127.0.0.1:9";
        const alone = await run("deploy", "svc@2.0.0", "--host", dead);
        assert.equal(alone.code, 4, alone.stderr);
        assert.match(alone.stdout, /^nobody@127\.0\.0\.1:9 +unreachable +connect +\d+s$/m);
        assert.match(alone.stderr, /^ {2}Cannot reach 127\.0\.0\.1 port 9: connection refused/m);
        const hosts = `${it.dir}/hosts`;
        await Deno.writeTextFile(hosts, `# both\n${host}\n${dead}\n`);
        const both = await run("deploy", "svc@2.0.0", "--hosts-file", hosts, "--max-failures", "1");
        assert.equal(both.code, 3, both.stderr);
        assert.match(
          both.stderr,
          /^d-\S+: deploy of svc 2\.0\.0 partial \(1 ok, 1 unreachable\)$/m,
        );
        const id = /deployments resume (d-\S+)/.exec(both.stderr)?.[1] ?? "";
        const resumed = await run("deployments", "resume", id);
        assert.equal(resumed.code, 4, resumed.stderr);
        assert.match(resumed.stdout, new RegExp(`^HOST.*\n${dead} +unreachable .*\n$`));
        const twice = await run("deploy", "svc@2.0.0", "--host", host, "--hosts-file", hosts);
        assert.equal(twice.code, 2);
        assert.match(twice.stderr, /named twice/);
      });
      await t.step("what the server does not hold is not found", async () => {
        for (const reference of ["svc@9.9.9", "svc-9.9.9.tar.gz"]) {
          const { code, stderr } = await run("deploy", reference, "--host", host);
          assert.equal(code, 1, stderr);
          assert.match(stderr, /\[not_found\]$/m);
        }
      });
    } finally {
      await run("service", "stop", "svc");
    }
  },
});
