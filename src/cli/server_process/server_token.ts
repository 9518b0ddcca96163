/**
 * The server's tokens: those that are configured, else one made at the first start.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { HarnessError, messageOf } from "../../errors.ts";
import type { AuthOptions } from "../../server/access/auth.ts";
import type { NamedToken, TokenOptions } from "../../server/access/tokens.ts";
import { CLI_MAX_SECRET_BYTES } from "../limits.ts";
import type { FlagValues, NamedFile } from "../flags/flags.ts";
import type { Io } from "../context.ts";
import { createPrivateFile, openPrivateFile, privateFileProblem, textOf } from "./private_file.ts";
import { named, readToken } from "../flags/secrets.ts";
import { CLIENT_TOKEN_FILE, type SERVE_FLAGS } from "../flags/serve_flags.ts";
import { isLoopback } from "../../server/access/addresses.ts";
import { sha256 } from "../../util/node/digest.ts";
import { hasErrorCode } from "../../util/node/files.ts";
import { ownUid } from "../../util/node/runtime.ts";

/** Bytes of a made token: 256 bit. */
const TOKEN_BYTES = 32;
/** Bits that a token must have at least: what it could hold at most for its length. */
const MIN_TOKEN_BITS = 128;

/** The tokens of a server. */
export interface ServerTokens {
  /** What the listener is given. */
  readonly auth: TokenOptions & Pick<AuthOptions, "anonymous" | "tokenFile">;
  /** Where the full token came from, for the log. */
  readonly source: string;
  /** What the server made, or `null` where a token was configured or none is wanted. */
  readonly made: { readonly token: string; readonly file: string } | null;
  /** All tokens, to be kept out of the log. */
  readonly secrets: readonly string[];
}

type ServeValues = FlagValues<typeof SERVE_FLAGS>;

/** A full token from a flag or the environment. */
interface Configured {
  readonly token: string;
  readonly place: string;
  /** The file, where it is in one. */
  readonly file: string | null;
  /** Whether the variable is the one that client commands read. */
  readonly isClients: boolean;
}

/**
 * The tokens that were configured or, where there are none, the one in the state directory, which is made
 * at the first start.
 *
 * @param again Whether the server runs already: then a file may also take every right away.
 * @throws {HarnessError} When a token cannot be read or is too short, or the flags contradict each other.
 */
export async function serverTokens(
  io: Io,
  flags: ServeValues,
  stateDir: () => Promise<string>,
  again = false,
): Promise<ServerTokens> {
  const configured = await configuredToken(io, flags);
  const read = await readToken({ file: flags.readTokenFile, text: io.env("HARNESS_READ_TOKEN") });
  const readPlace = flags.readTokenFile === null
    ? "HARNESS_READ_TOKEN"
    : named(flags.readTokenFile);
  if (read !== null) requireStrength(read, readPlace);
  if (flags.allowUnauthenticated) return unauthenticated(flags, configured, read);
  const namedTokens = flags.tokensFile === null ? [] : await tokensIn(flags.tokensFile);
  const readTokens = read === null ? [] : [read];
  if (configured !== null) {
    checkAddress(flags, configured);
    requireStrength(configured.token, configured.place);
  }
  if (configured !== null || flags.tokensFile !== null) {
    const tokens = configured === null ? [] : [configured.token];
    if (!again) requireFull(flags, tokens, namedTokens);
    requireDistinct(namedTokens, [...tokens, ...readTokens]);
    return {
      // Also when a reload leaves no token: then no client has any right.
      auth: { tokens, readTokens, namedTokens, anonymous: "refused", ...fileOf(configured) },
      source: sourceText(flags, configured, namedTokens),
      made: null,
      secrets: [...tokens, ...readTokens],
    };
  }
  if (read !== null) throw readOnly("--token-file");
  const file = join(await stateDir(), "token");
  const token = await madeToken(file);
  return {
    auth: { tokens: [token], readTokens: [], anonymous: "registry", tokenFile: file },
    source: `${file}, made by this server`,
    made: { token, file },
    secrets: [token],
  };
}

async function tokensIn(file: NamedFile): Promise<NamedToken[]> {
  const { readTokensFile } = await import("./tokens_file.ts");
  return await readTokensFile(file);
}

function sourceText(
  { tokensFile }: ServeValues,
  configured: Configured | null,
  namedTokens: readonly NamedToken[],
): string {
  const sources: string[] = [];
  if (configured !== null) {
    const client =
      ", which client commands read too; HARNESS_SERVER_TOKEN_FILE is the server's own";
    sources.push(configured.place + (configured.isClients ? client : ""));
  }
  if (tokensFile !== null) {
    const { length } = namedTokens;
    sources.push(`${named(tokensFile)} (${length} ${length === 1 ? "token" : "tokens"})`);
  }
  return sources.join("; ");
}

function requireFull(
  { tokensFile }: ServeValues,
  tokens: readonly string[],
  namedTokens: readonly NamedToken[],
): void {
  if (tokens.length > 0 || namedTokens.some(({ rights }) => rights === "full")) return;
  throw readOnly(
    `--token-file, or a token with rights: full in ${tokensFile?.path ?? "--tokens-file"}`,
  );
}

function readOnly(instead: string): HarnessError {
  return new HarnessError(
    "invalid_params",
    "Cannot serve with read-only tokens alone: no client could change anything; give " +
      `${instead} too`,
  );
}

/** A token that is listed twice would have the rights of both. */
function requireDistinct(namedTokens: readonly NamedToken[], tokens: readonly string[]): void {
  const hashes = tokens.map(sha256);
  const twice = namedTokens.find(({ sha256 }) => hashes.includes(sha256));
  if (twice === undefined) return;
  throw new HarnessError(
    "invalid_params",
    `Cannot use --tokens-file: its token ${twice.name} is the one of --token-file or ` +
      "--read-token-file; make another with `token new`",
  );
}

/** Refuses a token that could be guessed: fewer than 128 bit, even if each character were random. */
function requireStrength(token: string, place: string): void {
  const bits = token.length * (/^[0-9a-f]*$/i.test(token) ? 4 : 6);
  if (bits >= MIN_TOKEN_BITS) return;
  throw new HarnessError(
    "invalid_params",
    `Cannot use the token from ${place}: it has ${token.length} characters, which is less than ` +
      `${MIN_TOKEN_BITS} bit (22 characters of base64, 32 of hex); make one with ` +
      "`openssl rand -base64 32`",
  );
}

async function configuredToken(io: Io, flags: ServeValues): Promise<Configured | null> {
  const { tokenFile } = flags;
  const isFile = (place: string) => place.endsWith("_FILE");
  const variable = (place: string, isClients: boolean) => ({ place, isClients, path: null });
  const sources = [
    ...(tokenFile === null ? [] : [{ ...tokenFile, isClients: false }]),
    variable("HARNESS_SERVER_TOKEN_FILE", false),
    variable("HARNESS_SERVER_TOKEN", false),
    variable(CLIENT_TOKEN_FILE, true),
    variable("HARNESS_TOKEN", true),
  ].filter(({ place, path }) => path === null || place !== CLIENT_TOKEN_FILE);
  for (const { place, isClients, path } of sources) {
    // The clients' variables do not count where the server's own are set.
    if (isClients && (flags.allowUnauthenticated || flags.tokensFile !== null)) continue;
    const text = path === null ? io.env(place) : path;
    if (text === undefined) continue;
    const file = path !== null || isFile(place) ? { place, path: text } : null;
    const token = await readToken(file === null ? { file, text } : { file, text: undefined });
    if (token === null) continue;
    return {
      token,
      place: file === null ? place : named(file),
      file: file?.path ?? null,
      isClients,
    };
  }
  return null;
}

/** A token that opens the server to other machines must be given to the server itself, not to its clients. */
function checkAddress({ listen }: ServeValues, { place, isClients }: Configured): void {
  if (!isClients || isLoopback(listen.hostname)) return;
  throw new HarnessError(
    "invalid_params",
    `Cannot listen on ${listen.hostname} with the token from ${place}: that variable is for client ` +
      "commands; give the server's with --token-file or HARNESS_SERVER_TOKEN_FILE, or unset the " +
      "variable to have one made",
  );
}

function unauthenticated(
  { tokensFile }: ServeValues,
  configured: Configured | null,
  read: string | null,
): ServerTokens {
  const place = configured?.place ?? tokensFile?.place ??
    (read === null ? null : "the read-only token");
  if (place !== null) {
    throw new HarnessError(
      "invalid_params",
      `Cannot serve with --allow-unauthenticated and a token (${place}): they contradict ` +
        "each other; leave one out",
    );
  }
  return {
    auth: { anonymous: "full" },
    source: "none is needed: every client has full access (--allow-unauthenticated)",
    made: null,
    secrets: [],
  };
}

function fileOf(configured: Configured | null): { tokenFile?: string } {
  const file = configured?.file ?? null;
  return file === null ? {} : { tokenFile: file };
}

/** The token in `file`, made where there is none; one that others could know is not used. */
async function madeToken(file: string): Promise<string> {
  const uid = ownUid();
  try {
    const made = randomBytes(TOKEN_BYTES).toString("base64url");
    const isNew = await privateFileProblem(file, uid) === undefined &&
      await createPrivateFile(file, `${made}\n`);
    // Of a new one, too: there are file systems without modes.
    const problem = await privateFileProblem(file, uid);
    if (typeof problem === "string") throw unusable(file, problem);
    if (isNew) return made;
    await using opened = await openPrivateFile(file, uid);
    const token = (await textOf(opened, CLI_MAX_SECRET_BYTES)).trim();
    if (!/^[\x21-\x7e]*$/.test(token)) throw unusable(file, "it is not one line of visible ASCII");
    requireStrength(token, file);
    return token;
  } catch (error) {
    if (error instanceof HarnessError) throw error;
    if (hasErrorCode(error, "EACCES", "EPERM")) {
      const why = "Permission denied; check its owner and mode, or choose another --state-dir";
      throw new HarnessError("storage_unavailable", `Cannot open ${dirname(file)}: ${why}`, {
        cause: error,
      });
    }
    throw new HarnessError(
      "storage_unavailable",
      `Cannot make the token ${file}: ${messageOf(error)}; choose another --state-dir, or give ` +
        "--token-file",
      { cause: error },
    );
  }
}

function unusable(file: string, why: string): HarnessError {
  return new HarnessError(
    "forbidden",
    `Cannot use the token ${file}: ${why}; remove it to have a new one made, or give --token-file`,
  );
}
