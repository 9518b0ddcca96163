/**
 * Packages: build, inspect, sign, verify and extract `<name>-<version>.tar.gz` files.
 *
 * @example Build, sign, verify, extract
 * ```ts
 * import assert from "node:assert/strict";
 * import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
 * import {
 *   buildPackage,
 *   extractPackage,
 *   generateKeyPair,
 *   signPackage,
 *   verifySignature,
 * } from "@harness/service-registry/package";
 *
 * const dir = await mkdtemp("/tmp/package-");
 * await mkdir(`${dir}/src/scripts`, { recursive: true });
 * await writeFile(`${dir}/src/manifest.yaml`, "name: hello\nversion: 1.0.0\n");
 * await writeFile(`${dir}/src/scripts/start.sh`, "#!/bin/sh\nexec sleep 60\n");
 * await chmod(`${dir}/src/scripts/start.sh`, 0o755);
 *
 * const { path } = await buildPackage(`${dir}/src`, { outDir: dir });
 * const { publicKey, secretKey } = await generateKeyPair();
 * await signPackage(path, { secretKey });
 * const verdict = await verifySignature(path, { trustedKeys: [publicKey] });
 * assert.equal(verdict.status, "valid");
 * await extractPackage(path, `${dir}/hello`);
 * assert.match(await readFile(`${dir}/hello/scripts/start.sh`, "utf8"), /sleep/);
 * await rm(dir, { recursive: true });
 * ```
 *
 * @module
 */
export { buildPackage } from "./build.ts";
export type { BuildPackageOptions, BuildProgress, BuiltPackage } from "./build.ts";
export { installPath, packageFileName, sanitizeName, sanitizeVersion } from "./names.ts";
export { inspectPackage } from "./read.ts";
export type { InspectPackageOptions, PackageSummary } from "./read.ts";
export type { PackageEntry } from "./archive/entry_table.ts";
export { extractPackage } from "./archive/extract.ts";
export type { ExtractPackageOptions } from "./archive/extract.ts";
export {
  HARDENING_DEFAULTS,
  PACKAGED_TYPES,
  RESTART_POLICIES,
  START_MODES,
} from "./manifest/manifest.ts";
export type {
  HardeningName,
  HardeningSpec,
  HealthProbe,
  HealthSpec,
  Manifest,
  ManifestEnv,
  ManifestPort,
  PackagedType,
  RestartPolicyName,
  RestartSpec,
  StartMode,
  StopSpec,
} from "./manifest/manifest.ts";
export { parseManifest } from "./manifest/parse.ts";
export {
  generateKeyPair,
  requireSignedPackage,
  signaturePathOf,
  signPackage,
  verifySignature,
} from "./signing/sign.ts";
export type {
  KeyPair,
  SignatureVerdict,
  SignedPackage,
  SignPackageOptions,
  VerifySignatureOptions,
} from "./signing/sign.ts";
