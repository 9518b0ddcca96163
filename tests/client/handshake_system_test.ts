/** D4: a refused handshake is reported with its status, over TLS too, on every runtime. */
import { testHandshake } from "./handshake_cases.ts";

testHandshake("Node");
testHandshake("Bun");
