import { REMOTES } from "./fixture.ts";
import { testChecks } from "./health_cases.ts";

for (const kind of REMOTES) testChecks(kind);
