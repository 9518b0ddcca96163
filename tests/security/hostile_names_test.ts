/** F12 and its siblings: what cannot be meant, or would be a flag or a glob to a program, is refused at the door. */
import { serviceEntrySchema } from "../../src/model/entry_schema.ts";
import assert from "node:assert/strict";
import { parseTarget } from "../../src/model/target.ts";
import { HarnessError } from "../../src/errors.ts";
import { parseManifest } from "../../src/package/manifest/parse.ts";
import { Registry } from "../../src/registry/registry.ts";
import { describedPlacement } from "../../src/server/services/entry_spec.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { type Frame, RawClient } from "../helpers/raw_client.ts";
import { LISTENERS, startServer } from "../helpers/test_server.ts";

const SYSTEMD = { type: "systemd_service", unit_name: "web.service" };
const DOCKER = { type: "docker_container", image: "web:1" };
const PORTABLE = { type: "systemd_portable", image_name: "web", unit_name: "web.service" };
const REMOTE = { type: "remote", host: "web1", ssh_user: "ops" };

const service = (more: object) => ({
  service: { name: "web", version: "1", execution: SYSTEMD, ...more },
});

/** What no name may have, in whatever place. */
const NEVER = [
  "",
  " ",
  "-x",
  "--x",
  "a b",
  "a\nb",
  "a\0b",
  "a\x1bb",
  "a\u2028b",
  "a\u202eb",
  "\ud800",
];
const GLOBS = ["*", "a*", "a?", "[ab]", "a*.service"];

/** Field, the params that put a value there, and the values that are refused. */
const ROWS: ReadonlyArray<readonly [string, (value: unknown) => object, readonly unknown[]]> = [
  ["service.version", (version) => service({ version }), [
    ...["", " ", "1\n", "\n1", " 1", "1 ", "1\0", "1\x1b[2J", "1\u2028", "1\u200b", "1\ud800"],
  ]],
  ["service.depends_on", (depends_on) => service({ depends_on }), [["q", "q"], ["a", "q", "a"]]],
  [
    "service.endpoints.0.address",
    (address) => service({ endpoints: [{ name: "http", address, protocol: "http" }] }),
    [
      ...[
        "h:00080",
        "h:080",
        "h:0",
        "010.0.0.1:80",
        "10.0.0.01:80",
        "h:80\n",
        "-h:80",
        "h*:80",
        "[::1]:080",
      ],
    ],
  ],
  [
    "service.endpoints.0.protocol",
    (custom) => service({ endpoints: [{ name: "http", address: "h:80", protocol: { custom } }] }),
    [
      ...["", " ", "a\n", "a\x1b"],
    ],
  ],
  [
    "service.execution.unit_name",
    (unit_name) => service({ execution: { ...SYSTEMD, unit_name } }),
    [
      ...NEVER,
      ...GLOBS,
      "../x.service",
      "/etc/x.service",
      ".service",
      `${"a".repeat(256)}`,
    ],
  ],
  ["service.execution.image", (image) => service({ execution: { ...DOCKER, image } }), [
    ...NEVER,
    ...GLOBS,
    "/x",
    "--privileged",
  ]],
  ["service.execution.name", (name) => service({ execution: { ...DOCKER, name } }), [
    ...NEVER,
    ...GLOBS,
    "a/b",
  ]],
  [
    "service.execution.container_id",
    (container_id) => service({ execution: { ...DOCKER, container_id } }),
    [...NEVER, ...GLOBS],
  ],
  [
    "service.execution.image_name",
    (image_name) => service({ execution: { ...PORTABLE, image_name } }),
    [...NEVER, ...GLOBS, "../x", "/a/../b"],
  ],
  [
    "service.execution.command",
    (command) => service({ execution: { type: "managed_process", command } }),
    [
      ...["", " ", "-c", "--x", " /bin/sh", "/bin/sh\n", "/bin/\0", "/bin/\u202e", "\ud800"],
    ],
  ],
  [
    "service.execution.args.0",
    (arg) => service({ execution: { type: "managed_process", command: "/bin/sh", args: [arg] } }),
    [
      ...["a\0b", "\ud800"],
    ],
  ],
  ["service.location.host", (host) => service({ location: { ...REMOTE, host } }), [
    ...NEVER,
    ...GLOBS,
    "a/b",
    "a@b",
    "-oProxyCommand=id",
  ]],
  ["service.location.ssh_user", (ssh_user) => service({ location: { ...REMOTE, ssh_user } }), [
    ...NEVER,
    "a*",
    "a:b",
    "-oProxyCommand=id",
  ]],
];

const TARGETS: readonly unknown[] = [
  ...[
    "",
    " ",
    "-h",
    "a b",
    "u@-h",
    "-u@h",
    "h:0",
    "h:080",
    "h:70000",
    "h\n",
    "h*",
    "[h]",
    "u@",
    "@h",
  ],
  ...["-oProxyCommand=id", "h\0", "h\u202e", "a@b@c:1:2"],
  { host: "-h" },
  { host: "h*" },
  { host: "h", user: "-u" },
  { host: "h", user: "u v" },
  { host: "h", install_root: "srv" },
  { host: "h", install_root: "/srv/../etc" },
  { host: "h", install_root: "/srv\n" },
  { host: "h", identity_file: "k\0" },
];

const issuesOf = (error: Frame): string[] =>
  (error["details"]?.issues ?? []).map((issue: { path: string }) => issue.path);

for (const listener of LISTENERS) {
  Deno.test(`${listener} server: what cannot be a name is refused`, async () => {
    await using server = await startServer({ listener });
    await using client = await RawClient.ready(server.url);
    for (const [field, params, values] of ROWS) {
      for (const value of values) {
        const what = `${field} ${JSON.stringify(value)}`;
        const error = await client.fail("register_service", params(value));
        assert.equal(error["code"], "invalid_params", what);
        assert.ok(issuesOf(error).some((path) => `${path}.`.includes(field)), what);
        assert.match(error["message"], /must|Invalid|Too|at least/, what);
      }
    }
    assert.deepEqual(server.registry.list(), []);
    for (const cursor of ["zzzz", "", "after:", "after:-", "after:a\n", " after:a"]) {
      const error = await client.fail("list_services", { limit: 1, cursor });
      assert.equal(error["code"], "invalid_params", cursor);
      assert.deepEqual(issuesOf(error).map((path) => path.replace(/^params\./, "")), ["cursor"]);
    }
    await server.registry.register({ name: "web", version: "1", execution: SYSTEMD as never });
    for (const patch of [{ version: "1\n" }, { depends_on: ["q", "q"] }]) {
      const error = await client.fail("update_service", { name: "web", ...patch });
      assert.equal(error["code"], "invalid_params");
    }
  });
}

Deno.test("names: what people use is taken", async () => {
  await using server = await startServer({ listener: "deno" });
  await using client = await RawClient.ready(server.url);
  const good: object[] = [
    { version: "1.0.0+build.5 (stable)", execution: { ...SYSTEMD, unit_name: "getty@tty1" } },
    { version: "2026-01", execution: { ...SYSTEMD, unit_name: "dev-disk-by\\x2did.swap" } },
    {
      execution: { ...DOCKER, image: `r.example:5000/a/b@sha256:${"0".repeat(64)}`, name: "a_b-1" },
    },
    { execution: { ...DOCKER, image: `sha256:${"0".repeat(64)}`, container_id: "0".repeat(64) } },
    { execution: { ...PORTABLE, image_name: "/var/lib/portables/web_1.raw" } },
    {
      execution: { type: "managed_process", command: "/opt/my app/run", args: ["-x", "a\nb", "*"] },
    },
    { location: { ...REMOTE, host: "fe80::1%eth0", ssh_user: "DOMAIN\\ops" } },
    { location: { ...REMOTE, host: "bücher.example", ssh_user: "ops@realm" } },
    { location: { ...REMOTE, host: "web_1.lan.", ssh_user: "machine$" } },
    { endpoints: [{ name: "a", address: "10.0.0.1:80", protocol: { custom: "my proto" } }] },
    { endpoints: [{ name: "a", address: "01.example.org:8080", protocol: "http" }] },
  ];
  for (const [at, more] of good.entries()) {
    const { service: input } = service(more);
    await client.call("register_service", { service: { ...input, name: `s-${at}` } });
  }
});

Deno.test("targets: a host or a user that is no name is refused", async () => {
  await using server = await startServer({ listener: "deno" });
  await using client = await RawClient.ready(server.url);
  for (const target of TARGETS) {
    const error = await client.fail("deploy_package", { package: "web@1.0.0", target });
    assert.equal(error["code"], "invalid_params", JSON.stringify(target));
    if (typeof target === "string") {
      assert.throws(() => parseTarget(target), { code: "invalid_params" }, JSON.stringify(target));
    }
  }
  const good = [
    "local",
    "web1",
    "ops@web1:22",
    "[::1]:22",
    "ops@[fe80::1%eth0]",
    "10.0.0.1",
    "bücher.example",
  ];
  for (const target of [...good, { host: "::1" }, { host: "[::1]", install_root: "/srv/a b" }]) {
    const error = await client.fail("deploy_package", { package: "web@1.0.0", target });
    assert.notEqual(
      error["code"],
      "invalid_params",
      `${JSON.stringify(target)} ${error["message"]}`,
    );
  }
});

Deno.test("manifest: a word for a host is no flag and no glob", () => {
  const fields: Array<[string, string]> = [
    ...["-x", "a b", "a*", "a\\u202eb"].flatMap((value): Array<[string, string]> => [
      [`requires: {commands: ["${value}"]}`, "requires.commands"],
      [`requires: {libraries: ["${value}"]}`, "requires.libraries"],
      [`requires: {arch: ["${value}"]}`, "requires.arch"],
      [`service: {user: "${value}"}`, "service.user"],
      [`service: {type: systemd_service, unit: "${value}"}`, "service.unit"],
      [`service: {type: docker_container, image: "${value}"}`, "service.image"],
    ]),
    ['health: {script: "-c"}', "health.script"],
  ];
  for (const [line, field] of fields) {
    const text = `name: hello\nversion: 1.0.0\n${line}\n`;
    assert.throws(() => parseManifest(text), (error) => {
      assert.ok(error instanceof HarnessError && error.code === "package_invalid", line);
      assert.ok(error.message.includes(field), `${line}: ${error.message}`);
      return true;
    });
  }
});

Deno.test("names: an entry of an earlier version is not started", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const unit = { type: "systemd_service" as const, unit_name: "-x*" };
    {
      await using registry = await Registry.open(new FileStore({ dir }));
      await registry.register({ name: "web", version: "1", execution: SYSTEMD as never });
      // What runs is recorded as it was seen, so this is how such an entry can still be made.
      await registry.update("web", { execution: unit });
    }
    await using registry = await Registry.open(new FileStore({ dir }));
    assert.deepEqual(registry.warnings, []);
    const entry = registry.get("web");
    assert.deepEqual(entry.execution, unit);
    const place = { hosts: { resolve: () => ({ installRoot: dir }) } as never, localRunRoot: dir };
    assert.throws(() => describedPlacement(entry, place), {
      code: "invalid_params",
      message: /execution\.unit_name: must be a unit name.*register it again/,
    });
    const old = {
      ...entry,
      version: "1\n",
      depends_on: ["q", "q"],
      endpoints: [{ name: "a", address: "h:00080", protocol: "http", metadata: { "": "\x1b" } }],
      labels: { "k\n": "\x1b" },
      location: { type: "remote", host: "a b", ssh_user: "-u", ssh_port: null },
    };
    assert.ok(serviceEntrySchema.safeParse(old).success);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
