/**
 * What a host looks at before it unpacks anything, given every archive of the table that the package reader refuses:
 * with the system's own tools, and with nothing but BusyBox.
 */
import { needs } from "../helpers/require.ts";
import { testArchiveCheck } from "./archive_check_cases.ts";

testArchiveCheck("busybox", needs("busybox"));
