import { testContract } from "./contract.ts";
import { LOCAL } from "./machines.ts";

testContract(LOCAL);
