import { needs } from "../helpers/require.ts";
import { onPath, testHelloService } from "./hello_service_cases.ts";

for (const runtime of ["node", "python3"] as const) {
  testHelloService(runtime, onPath(runtime) ?? runtime, needs(runtime));
}
