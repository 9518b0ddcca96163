import { testContract } from "./contract.ts";
import { LOCAL, MEMORY } from "./machines.ts";

testContract(LOCAL);
testContract(MEMORY);
