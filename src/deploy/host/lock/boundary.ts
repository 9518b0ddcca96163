/**
 * Ownership checks: root never runs, reads or writes below a directory that another user can change. Pure: builds the
 * errors for what boundary.sh refused.
 *
 * FOUND is `bookkeeping` (of a deployment as that user), `path` (a part of the install root's path) or `content`
 * (something in our own directory); DEPLOYED is `yes` where a release is recorded.
 *
 * @module
 */
import { HarnessError } from "../../../errors.ts";

/** Service and host of a {@linkcode boundaryError}. */
export interface BoundaryPlace {
  /** Service name. */
  service: string;
  /** Host label. */
  host: string;
  /** Whether commands run as root by sudo. */
  sudo: boolean;
}

/** The error for a refusal of boundary.sh in `stdout`, or `null`. */
export function boundaryError(stdout: string, place: BoundaryPlace): HarnessError | null {
  const [, found = "", rest = ""] = /^@refused owner (\w+)\|(.*)$/m.exec(stdout) ?? [];
  const fields = rest.split("|");
  const deployed = fields.at(-1) === "yes";
  const [path = "", owner = "", mode = ""] = fields;
  if (found === "") return null;
  const head = `Cannot lock ${place.service} on ${place.host}`;
  const details = { reason: "owner", path, owner, found, deployed };
  if (found === "bookkeeping") {
    const { code, text } = bookkeeping(path, owner, { ...place, deployed });
    return new HarnessError(code, `${head}: ${text}`, { details });
  }
  const whose = owner === "root" ? "other users can change it" : `it belongs to ${owner}`;
  return new HarnessError(
    "deploy_failed",
    `${head}: root must not work in ${path}, ${whose} (${mode}); ` +
      (found === "path"
        ? "use an install root that only root can change, up to /, or deploy without root"
        : `check where it comes from, then give it to root or remove it`),
    { details: { ...details, mode } },
  );
}

/** Code and text for a bookkeeping directory that belongs to another user. */
function bookkeeping(
  path: string,
  owner: string,
  { sudo, deployed }: BoundaryPlace & { deployed: boolean },
): { code: "conflict" | "deploy_failed"; text: string } {
  const how = deployed ? "it was deployed there" : "its directory was made there";
  if (owner === "root") {
    return {
      code: "conflict",
      text: `${how} as root (${path} is root's); use --become sudo`,
    };
  }
  const without = sudo ? " without --become sudo" : "";
  return {
    code: "conflict",
    text: `${how} as ${owner} (${path} belongs to ${owner}), who could change what runs as ` +
      `another user; deploy it as ${owner}${without}, or stop it as ${owner} and move ${path} away first, ` +
      "or use another install root",
  };
}
