/**
 * The guard of a container with the policy `on-failure`: starts it again after docker itself was restarted.
 *
 * Docker does not, where the container ended with exit code 0 when docker stopped it: for docker that is an end of its
 * own. And it does, whatever the code, where we had stopped a container before: so a stop takes the policy away.
 *
 * Where PID 1 is systemd and we are root, the guard is an enabled unit, so that it is there after a reboot; elsewhere it
 * has a session of its own, and ends with the machine. Its mark is a file in our run directory: the container is to
 * run. A stop removes it, and so does the guard when the container has ended by itself.
 *
 * @module
 */
import { assign } from "../../../../executor/shell/include.ts";
import { DOCKER_CHANGE_SECONDS, DOCKER_STATUS_SECONDS } from "../limits.ts";
import functions from "./functions.sh" with { type: "text" };
import guard from "./guard.sh" with { type: "text" };
import runDocker from "../run_docker.sh" with { type: "text" };

/** The guard needs docker's socket, and must remove its mark; nothing else. */
const HARDENING = `CapabilityBoundingSet=
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=full
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native`;

const GUARD = runDocker +
  assign({ h_status_seconds: DOCKER_STATUS_SECONDS, h_change_seconds: DOCKER_CHANGE_SECONDS }) +
  guard;

/** Functions that start and end the guard. */
export const GUARD_FUNCTIONS: string = assign({ h_hardening: HARDENING, h_guard_text: GUARD }) +
  functions;
