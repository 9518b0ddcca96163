/**
 * What the other side of a connection says it is.
 *
 * @module
 */
// @ts-types="@types/ssh2"
import type { Client } from "ssh2";

/** The software of the server, such as `OpenSSH_9.2p1`, or empty. */
export function serverSoftware(client: Client | undefined): string {
  // ssh2 keeps the server's identification string and has no public way to read it.
  const { _remoteVer: version } = (client ?? {}) as { _remoteVer?: string };
  return version ?? "";
}
