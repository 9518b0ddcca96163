import assert from "node:assert/strict";
import fc from "fast-check";
import {
  installPath,
  packageFileName,
  sanitizeName,
  sanitizeVersion,
  SEMVER,
} from "../../src/package/names.ts";
import { SEED } from "../helpers/seed.ts";

Deno.test("sanitizeName: keeps letters, digits, _ and -", () => {
  const cases = {
    "api-server": "api-server",
    "api@server": "api_server",
    "api.server!": "api_server_",
    "test@package!": "test_package_",
    "../../../evil": "_________evil",
    "a b\n\0é": "a_b___",
  };
  for (const [name, path] of Object.entries(cases)) assert.equal(sanitizeName(name), path);
});

Deno.test("sanitizeVersion: SemVer without '+', never '..'", () => {
  const cases = {
    "1.2.3": "1.2.3",
    "1.2.3-beta": "1.2.3-beta",
    "1.2.3+build": "1.2.3_build",
    "1.0.0-beta+build": "1.0.0-beta_build",
    "../1.0": "___1.0",
    "1...2": "1___2",
    "..": "__",
  };
  for (const [version, path] of Object.entries(cases)) assert.equal(sanitizeVersion(version), path);
});

Deno.test("installPath: <root>/<name>-<version>", () => {
  assert.equal(installPath("/opt", "api-server", "1.2.3"), "/opt/api-server-1.2.3");
  assert.equal(installPath("/srv/apps/", "api.server", "1.0.0+b"), "/srv/apps/api_server-1.0.0_b");
  assert.equal(installPath("/", "a", "1.0.0"), "/a-1.0.0");
  assert.equal(packageFileName("hello", "1.0.0-rc.1"), "hello-1.0.0-rc.1.tar.gz");
});

Deno.test("installPath: always a direct child of its root", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", minLength: 1, maxLength: 128 }),
      fc.string({ unit: "binary", minLength: 1, maxLength: 50 }),
      (name, version) => {
        fc.pre(name.length <= 128 && version.length <= 100);
        const path = installPath("/opt", name, version);
        assert.match(path, /^\/opt\/[A-Za-z0-9_.-]+$/);
        assert(!path.includes(".."));
        assert(!path.startsWith("/opt/."));
        assert(path.length <= 5 + 255);
      },
    ),
    { seed: SEED, numRuns: 2000 },
  );
});

/** The name of a package file without `.tar.gz`: that of its release. */
function releaseName(name: string, version: string): string {
  return packageFileName(name, version).replace(/\.tar\.gz$/, "");
}

Deno.test("packageFileName: refuses empty and overlong parts", () => {
  const refused = { code: "package_invalid", details: { reason: "bad_name" } };
  assert.throws(() => releaseName("", "1.0.0"), refused);
  assert.throws(() => releaseName("a", ""), refused);
  assert.throws(() => releaseName("a".repeat(129), "1.0.0"), refused);
  assert.throws(() => releaseName("a", `1.0.0-${"a".repeat(95)}`), refused);
});

/** SemVer versions of all forms. */
const version = fc.tuple(
  fc.nat(20),
  fc.nat(20),
  fc.nat(20),
  fc.array(fc.stringMatching(/^[a-zA-Z-][0-9a-zA-Z-]{0,4}$|^[1-9]\d{0,2}$/), { maxLength: 3 }),
  fc.array(fc.stringMatching(/^[0-9a-zA-Z-]{1,4}$/), { maxLength: 2 }),
).map(([a, b, c, pre, build]) =>
  `${a}.${b}.${c}${pre.length > 0 ? `-${pre.join(".")}` : ""}${
    build.length > 0 ? `+${build.join(".")}` : ""
  }`
);
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,12}$/);

Deno.test("packageFileName: name and version can be told apart", () => {
  assert.notEqual(releaseName("foo-1.0.0", "2.0.0"), releaseName("foo", "1.0.0-2.0.0"));
  fc.assert(
    fc.property(name, version, (name, version) => {
      assert.match(version, SEMVER);
      const release = releaseName(name, version);
      // The version begins after the last '-' before the first dot.
      const dash = release.lastIndexOf("-", release.indexOf("."));
      assert.equal(release.slice(0, dash), sanitizeName(name));
      assert.equal(release.slice(dash + 1), sanitizeVersion(version));
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

Deno.test("packageFileName: differs for versions that differ", () => {
  fc.assert(
    fc.property(version, version, (a, b) => {
      assert.equal(a === b, releaseName("x", a) === releaseName("x", b));
    }),
    { seed: SEED, numRuns: 2000 },
  );
});
