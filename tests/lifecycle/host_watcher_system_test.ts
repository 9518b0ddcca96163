import { REMOTES } from "./fixture.ts";
import { registerHostWatcher } from "./host_watcher_cases.ts";

for (const kind of REMOTES) registerHostWatcher(kind);
