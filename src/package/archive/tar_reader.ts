/**
 * A strict, streaming reader of tar files.
 *
 * `modern-tar` writes packages but does not read them: like all general readers it is lenient. It ends names at a NUL, takes
 * unknown types for files, accepts data after the end. A verifier must refuse that, because another program will unpack the
 * same bytes with its own leniency.
 *
 * @module
 */
import { MAX_TAR_EXTENSION_BYTES } from "../../model/limits.ts";
import { invalid, type InvalidReason, shown } from "../errors.ts";
import {
  BLOCK_BYTES,
  decodeText,
  isZero,
  MAX_OCTAL_SIZE,
  readHeader,
  SPARSE,
  type TarHeader,
} from "./tar_header.ts";

/** Content of a tar file, in order. The chunks of a file's body follow its entry. */
export type TarEvent =
  | {
    kind: "entry";
    /** Type. */
    type: "file" | "directory" | "symlink";
    /** Name as stored. */
    name: string;
    /** Target of a link, else `null`. */
    target: string | null;
    /** Bytes of the body. */
    size: number;
    /** Permission bits. */
    mode: number;
  }
  | {
    kind: "data"; /** Bytes of the last entry's body; valid until the next event. */
    chunk: Uint8Array;
  }
  | { kind: "end" };

const TYPES: Record<string, "file" | "directory" | "symlink"> = {
  "0": "file",
  "5": "directory",
  "2": "symlink",
};
const REFUSED: Record<string, [InvalidReason, string]> = {
  "1": ["hard_link", "is a hard link: packages hold files; GNU tar: --hard-dereference"],
  "3": ["device", "is a device"],
  "4": ["device", "is a device"],
  "6": ["fifo", "is a FIFO"],
};
/** PAX records that change only names, sizes or times. */
const HARMLESS_PAX: ReadonlySet<string> = new Set([
  "path",
  "linkpath",
  "size",
  "mtime",
  "atime",
  "ctime",
  "uid",
  "gid",
  "uname",
  "gname",
  "comment",
]);

/** Values of extension headers for the next entry. */
interface Extension {
  name?: string;
  target?: string;
  size?: number;
}

/**
 * Reads a tar file to its end.
 *
 * @throws {HarnessError} `package_invalid` for anything but plain files, directories and symbolic links, and for anything
 * ambiguous.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEvent> {
  const input = new Input(source);
  let extension: Extension = {};
  for (;;) {
    const block = await input.take(BLOCK_BYTES);
    if (isZero(block)) break;
    const header = readHeader(block);
    if (header.flag === "x" || header.flag === "g" || header.flag === "L" || header.flag === "K") {
      extension = mergeExtension(extension, await readExtension(header, input));
      continue;
    }
    const entry = toEntry(header, extension);
    extension = {};
    yield entry;
    for (let left = entry.size; left > 0;) {
      const chunk = await input.some(left);
      left -= chunk.byteLength;
      yield { kind: "data", chunk };
    }
    await input.take(padding(entry.size));
    yield { kind: "end" };
  }
  if (Object.keys(extension).length > 0) {
    throw invalid("bad_header", "an extended header belongs to no entry");
  }
  if (!isZero(await input.take(BLOCK_BYTES))) {
    throw invalid("trailing_data", "there are entries after the first end mark");
  }
  if (!await input.restIsZero()) {
    throw invalid("trailing_data", "there is data after the end of the tar file");
  }
}

function padding(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
}

function toEntry(header: TarHeader, extension: Extension): TarEvent & { kind: "entry" } {
  const name = extension.name ?? header.name;
  const size = extension.size ?? header.size;
  const refused = REFUSED[header.flag];
  if (refused !== undefined) {
    throw invalid(refused[0], `${shown(name)} ${refused[1]}`, { path: name.slice(0, 300) });
  }
  const type = TYPES[header.flag];
  if (type === undefined) {
    throw invalid("unsupported_entry", `${shown(name)} has the tar type ${shown(header.flag)}`);
  }
  // BusyBox uses the header only: it would take a body for entries, or entries for a body.
  if (size !== header.size && size <= MAX_OCTAL_SIZE) {
    throw invalid("bad_size", `${shown(name)} has another size in its PAX header than in its own`);
  }
  if (type !== "file" && size !== 0) {
    throw invalid("bad_size", `${shown(name)} is a ${type} and has a body`);
  }
  if (type === "file" && name.endsWith("/")) {
    throw invalid("bad_path", `${shown(name)} is stored as a file and named as a directory`);
  }
  const target = extension.target ?? header.linkName;
  if (type !== "symlink" && target !== "") {
    throw invalid("bad_header", `${shown(name)} is a ${type} and has a link target`);
  }
  const mode = type === "symlink" ? 0o777 : header.mode;
  return { kind: "entry", type, name, target: type === "symlink" ? target : null, size, mode };
}

async function readExtension(header: TarHeader, input: Input): Promise<Extension> {
  if (header.size > MAX_TAR_EXTENSION_BYTES) {
    throw invalid(
      "unsupported_extension",
      `an extended header has more than ${MAX_TAR_EXTENSION_BYTES} bytes`,
    );
  }
  const body = (await input.take(header.size)).slice();
  await input.take(padding(header.size));
  if (header.flag === "L" || header.flag === "K") {
    if (body.at(-1) !== 0 || body.indexOf(0) !== body.length - 1) {
      throw invalid("bad_path", "a long name in it has a NUL character");
    }
    const text = decodeText(body.subarray(0, -1));
    return header.flag === "L" ? { name: text } : { target: text };
  }
  const records = readPax(body);
  if (header.flag === "g" && [...records.keys()].some((key) => key !== "comment")) {
    throw invalid("unsupported_extension", "it has a global extended header");
  }
  const extension: Extension = {};
  const [path, target, size] = ["path", "linkpath", "size"].map((key) => records.get(key));
  if (path !== undefined) extension.name = path;
  if (target !== undefined) extension.target = target;
  if (size !== undefined) {
    if (!/^\d{1,15}$/.test(size)) {
      throw invalid("bad_size", `a PAX header has size=${shown(size)}`);
    }
    extension.size = Number(size);
  }
  return extension;
}

/** Programs disagree on which of two names applies. */
function mergeExtension(before: Extension, after: Extension): Extension {
  if (Object.keys(after).some((key) => key in before)) {
    throw invalid("bad_header", "two extended headers set the same field of one entry");
  }
  return { ...before, ...after };
}

/** Records of the form `<length> <key>=<value>\n`. */
function readPax(body: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  const refuse = (why: string) => invalid("unsupported_extension", `a PAX header ${why}`);
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const digits = space === -1 ? "" : decodeText(body.subarray(at, space));
    const end = at + Number(digits);
    if (!/^[1-9]\d{0,5}$/.test(digits) || end > body.length || body[end - 1] !== 0x0a) {
      throw refuse("is malformed");
    }
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(decodeText(body.subarray(space + 1, end - 1))) ??
      [];
    if (key === undefined || value === undefined) throw refuse("is malformed");
    if (key.startsWith("GNU.sparse.")) {
      throw invalid("unsupported_entry", `a file in it ${SPARSE}`);
    }
    if (!HARMLESS_PAX.has(key)) {
      throw refuse(`has ${shown(key)}: build with GNU tar's --format=gnu, or with package build`);
    }
    if (records.has(key)) throw refuse(`has ${key} twice`);
    if (value.includes("\0")) throw invalid("bad_path", "a name in it has a NUL character");
    records.set(key, value);
    at = end;
  }
  return records;
}

/** Buffers a stream and returns exact amounts of bytes. */
class Input {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Returns between 1 and `most` bytes. */
  async some(most: number): Promise<Uint8Array> {
    if (!await this.#fill()) throw invalid("truncated", "the tar file ends too early");
    const part = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(part.byteLength);
    return part;
  }

  /** Returns exactly `length` bytes. */
  async take(length: number): Promise<Uint8Array> {
    if (this.#chunk.byteLength >= length) {
      const part = this.#chunk.subarray(0, length);
      this.#chunk = this.#chunk.subarray(length);
      return part;
    }
    const whole = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      const part = await this.some(length - filled);
      whole.set(part, filled);
      filled += part.byteLength;
    }
    return whole;
  }

  /** Whether only zeros are left. */
  async restIsZero(): Promise<boolean> {
    while (await this.#fill()) {
      if (!isZero(this.#chunk)) return false;
      this.#chunk = new Uint8Array();
    }
    return true;
  }

  async #fill(): Promise<boolean> {
    while (this.#chunk.byteLength === 0) {
      const { done, value } = await this.#source.next();
      if (done) return false;
      this.#chunk = value;
    }
    return true;
  }
}
