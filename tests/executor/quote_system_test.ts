import { SSH } from "./machines.ts";
import { testLoginShell, testRoundTrip } from "./quote_cases.ts";

testRoundTrip(SSH);
for (const shell of ["bash", "zsh", "fish", "tcsh", "mksh", "busybox"]) testLoginShell(shell);
