// deno-lint-ignore-file no-console
/** The guest as a program for Node and Bun: prints `ready`, then its report. */
import process from "node:process";
import { visit } from "./guest.ts";

const url = process.argv[2] ?? "";
const token = process.env["TEST_TOKEN"] ?? "";
const report = await visit(url, { token }, () => console.log("ready"));
console.log(JSON.stringify(report));
