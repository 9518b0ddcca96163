/** `--trusted-proxy`: whose X-Forwarded-For names the client, and that nobody else can. */
import assert from "node:assert/strict";
import { RegistryClient } from "../../src/client/mod.ts";
import type { AuditEntry } from "../../src/server/access/audit.ts";
import { TrustedProxies } from "../../src/server/access/trusted_proxies.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";

const TOKEN = "a-token-of-128-bit-at-least";

function clientOf(proxies: string[], peer: string, forwarded?: string): string | undefined {
  const headers: HeadersInit = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  return new TrustedProxies(proxies).clientOf(new Request("http://h/", { headers }), peer);
}

Deno.test("TrustedProxies: the right end counts, up to a client", () => {
  const cases: Array<[proxies: string[], peer: string, header: string | undefined, is: string]> = [
    [[], "127.0.0.1", "203.0.113.9", "127.0.0.1"],
    [["10.0.0.1"], "127.0.0.1", "203.0.113.9", "127.0.0.1"],
    [["127.0.0.1"], "127.0.0.1", undefined, "127.0.0.1"],
    [["127.0.0.1"], "127.0.0.1", "203.0.113.9", "203.0.113.9"],
    [["127.0.0.1"], "::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"],
    // The client wrote the left part.
    [["127.0.0.1"], "127.0.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9"],
    [["127.0.0.1"], "127.0.0.1", "nonsense, 203.0.113.9", "203.0.113.9"],
    [["127.0.0.1"], "127.0.0.1", "203.0.113.9, nonsense", "127.0.0.1"],
    [["127.0.0.1"], "127.0.0.1", "203.0.113.9,", "127.0.0.1"],
    [["127.0.0.1"], "127.0.0.1", "127.0.0.1", "127.0.0.1"],
    // Two proxies in a row.
    [["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", "6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"],
    [["::1", "fd00::/8"], "::1", "[2001:db8::7]:443, fd00::1", "2001:db8::7"],
    [["127.0.0.1"], "127.0.0.1", "203.0.113.9:5000", "203.0.113.9"],
    [["127.0.0.1"], "127.0.0.1", "127.0.0.1, ".repeat(40) + "127.0.0.1", "127.0.0.1"],
  ];
  for (const [proxies, peer, header, expected] of cases) {
    assert.equal(clientOf(proxies, peer, header), expected, `${proxies} ${peer} ${header}`);
  }
});

Deno.test("TrustedProxies: refuses what is no network", () => {
  for (const text of ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "::/129", "1.2.3.4/8/8", "*"]) {
    assert.throws(() => new TrustedProxies([text]), { code: "invalid_params" }, text);
  }
});

for (const listener of LISTENERS) {
  Deno.test(`trustedProxies: limits and audit by client (${listener})`, async () => {
    const audited: AuditEntry[] = [];
    await using running = await startServer({
      listener,
      auth: { tokens: [TOKEN] },
      trustedProxies: ["127.0.0.1"],
      audit: (entry) => audited.push(entry),
    });
    const wrong = async (forwarded: string) => {
      const headers = { "x-forwarded-for": forwarded, authorization: "Bearer wrong" };
      const response = await fetch(`${running.http}/packages/`, { headers });
      await response.body?.cancel();
      return response.status;
    };
    // What a client claims on the left changes nothing.
    for (let n = 0; n < 30; n++) assert.equal(await wrong(`198.51.100.${n}, 203.0.113.9`), 401);
    assert.equal(await wrong("198.51.100.99, 203.0.113.9"), 429);
    assert.equal(await wrong("203.0.113.10"), 401);

    await using client = await RegistryClient.connect(running.url, {
      token: TOKEN,
      headers: { "x-forwarded-for": "127.0.0.1, 203.0.113.9" },
    });
    await client.registerService(service("web"));
    assert.deepEqual(audited.map(({ by, address }) => [by, address]), [["token", "203.0.113.9"]]);
  });

  Deno.test(`trustedProxies: no rights from a header (${listener})`, async () => {
    await using running = await startServer({
      listener,
      auth: { anonymous: "registry" },
      trustedProxies: ["127.0.0.1"],
    });
    const headers = { "x-forwarded-for": "127.0.0.1" };
    await assert.rejects(RegistryClient.connect(running.url, { headers, reconnect: false }), {
      code: "unauthorized",
    });
    await using local = await RegistryClient.connect(running.url);
    assert.deepEqual(await local.listServices(), []);
  });
}
