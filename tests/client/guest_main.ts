// deno-lint-ignore-file no-console
/** The guest as a program for Node and Bun: prints `ready`, then its report. */
import process from "node:process";
// @ts-types="@types/ws"
import WebSocket from "ws";
import { visit } from "./guest.ts";

const url = process.argv[2] ?? "";
const token = process.env["TEST_TOKEN"] ?? "";
// Node has a WebSocket of its own only from version 22 on.
const webSocket = "WebSocket" in globalThis ? {} : { webSocket: WebSocket };
const report = await visit(url, { token, ...webSocket }, () => console.log("ready"));
console.log(JSON.stringify(report));
