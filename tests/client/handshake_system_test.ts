/** D4: a refused handshake is reported with its status, over TLS too, on every runtime. */
import { testConnectFailures, testHandshake } from "./handshake_cases.ts";

testHandshake("Node");
testHandshake("Bun");

for (const name of ["Deno", "Node", "Bun"] as const) testConnectFailures(name);
