import { testContract } from "./contract.ts";
import { SSH } from "./machines.ts";

testContract(SSH);
