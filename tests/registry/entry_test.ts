import {
  addressSchema,
  executionSchema,
  locationSchema,
  serviceIdSchema,
  serviceNameSchema,
} from "../../src/model/entry_schema.ts";
import assert from "node:assert/strict";
import { serviceInputSchema } from "../../src/model/service_schema.ts";

const accepts = (schema: { safeParse(value: unknown): { success: boolean } }, value: unknown) =>
  schema.safeParse(value).success;

Deno.test("addressSchema: host:port with IPv4, [IPv6] or a host name", () => {
  const good = [
    "127.0.0.1:80",
    "255.255.255.255:65535",
    "[::1]:80",
    "[fe80::1%eth0]:80",
    "[::ffff:10.0.0.1]:80",
    "localhost:1",
    "db_1.internal.:5432",
    "3com.example:80",
    "xn--bcher-kva.example:80",
  ];
  const bad = [
    "",
    "host",
    "host:",
    ":80",
    "host:0",
    "host:65536",
    "host:-1",
    "host:8o",
    "host:80/path",
    "http://host:80",
    "user@host:80",
    "a b:80",
    "::1:80",
    "[::1]",
    "[host]:80",
    "[:::::]:80",
    "[1:2:3:4:5:6:7:8:9]:80",
    "[]:80",
    "999.1.1.1:80",
    "1.2.3:80",
    "host.1:80",
    "-host:80",
    "a..b:80",
    "host:80\n",
    `${"a".repeat(254)}:80`,
  ];
  assert.deepEqual(good.filter((address) => !accepts(addressSchema, address)), []);
  assert.deepEqual(bad.filter((address) => accepts(addressSchema, address)), []);
});

Deno.test("serviceNameSchema, serviceIdSchema: safe in a path", () => {
  const names = ["a", "A-1_b.c", "9", "x".repeat(128)];
  const bad = [
    "",
    "-a",
    ".a",
    "..",
    "a/b",
    "a\\b",
    "a b",
    "a\n",
    "é",
    "a*",
    "a\0",
    "x".repeat(129),
  ];
  for (const schema of [serviceNameSchema, serviceIdSchema]) {
    assert.deepEqual(names.filter((name) => !accepts(schema, name)), []);
    assert.deepEqual(bad.slice(0, -1).filter((name) => accepts(schema, name)), []);
  }
  assert.ok(!accepts(serviceNameSchema, bad.at(-1)) && !accepts(serviceNameSchema, "web@h1"));
  const ids = ["web@h1", "web@10.0.0.1:22", "web@[::1]:22", "web@[fe80::1%eth0]"];
  assert.deepEqual(ids.filter((id) => !accepts(serviceIdSchema, id)), []);
  const notIds = ["@h1", "web@", "web@a/b", "web@-h", "web@a@b", `web@${"h".repeat(300)}`];
  assert.deepEqual(notIds.filter((id) => accepts(serviceIdSchema, id)), []);
});

Deno.test("executionSchema, locationSchema: fill in defaults", () => {
  const executions = [
    [{ type: "managed_process", command: "/bin/a" }, { args: [], pid: null }],
    [{ type: "docker_container", image: "a:1" }, { container_id: null, name: null }],
    [{ type: "systemd_service", unit_name: "a.service" }, {}],
    [{ type: "systemd_portable", image_name: "a", unit_name: "a.service" }, {}],
  ];
  for (const [given, filled] of executions) {
    assert.deepEqual(executionSchema.parse(given), { ...given, ...filled });
  }
  const remote = { type: "remote", host: "h1", ssh_user: "ops" };
  assert.deepEqual(locationSchema.parse(remote), { ...remote, ssh_port: null });
  assert.deepEqual(locationSchema.parse({ type: "local" }), { type: "local" });
  const bad: unknown[] = [
    { type: "managed_process", command: "" },
    { type: "managed_process", command: "/bin/a", pid: 0 },
    { type: "docker_container" },
    { type: "systemd_portable", unit_name: "a.service" },
    { type: "vm" },
    null,
  ];
  assert.deepEqual(bad.filter((value) => accepts(executionSchema, value)), []);
  assert.ok(!accepts(locationSchema, { ...remote, ssh_port: 65536 }));
});

Deno.test("serviceInputSchema: lease bounds, distinct endpoint names", () => {
  const input = (more: object) => ({
    name: "web",
    version: "1",
    execution: { type: "systemd_service", unit_name: "a.service" },
    ...more,
  });
  const endpoint = (name: string) => ({ name, address: "h:1", protocol: "tcp" });
  assert.ok(accepts(serviceInputSchema, input({ ttl_ms: 1000, endpoints: [endpoint("a")] })));
  const bad = [
    { ttl_ms: 0 },
    { ttl_ms: 1.5 },
    { ttl_ms: 1e15 },
    { endpoints: [endpoint("a"), endpoint("a")] },
    { endpoints: [{ ...endpoint("a"), protocol: "smtp" }] },
    { endpoints: [{ ...endpoint("a"), protocol: { custom: "" } }] },
    { labels: { a: 1 } },
    { depends_on: ["a/b"] },
    { version: "" },
  ];
  assert.deepEqual(bad.filter((more) => accepts(serviceInputSchema, input(more))), []);
});
