import { LOCAL } from "./fixture.ts";
import { registerHostWatcher } from "./host_watcher_cases.ts";

registerHostWatcher(LOCAL);
