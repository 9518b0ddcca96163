/** Hostile packages, for whoever has to refuse them: the reader, the extractor, and the hosts they are sent to. */
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import type { InvalidReason } from "../../src/package/errors.ts";
import {
  entryBlocks,
  gnuLong,
  MANIFEST,
  packageWith,
  pax,
  type RawEntry,
  soundEntries,
  START,
  sums,
  tar,
} from "./tar_writer.ts";

const BASE256_NEGATIVE = Buffer.alloc(12, 0xff);
const BASE256_HUGE = Buffer.from([0x80, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255]);
const BASE256_SMALL = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
const long = (length: number) => "d".repeat(length);

/** Names and the reason with which the package that holds the entries besides sound ones is refused. */
export const HOSTILE_ENTRIES: Record<string, [InvalidReason, RawEntry[]]> = {
  "an absolute path": ["absolute_path", [{ name: "/etc/evil", body: "x" }]],
  "an absolute directory": ["absolute_path", [{ name: "/", flag: "5" }]],
  "a Windows drive": ["absolute_path", [{ name: "C:evil", body: "x" }]],
  "a .. at the start": ["path_traversal", [{ name: "../evil", body: "x" }]],
  "a .. inside": ["path_traversal", [{ name: "a/../../evil", body: "x" }]],
  "a .. after ./": ["path_traversal", [{ name: "./../evil", body: "x" }]],
  "a .. directory": ["path_traversal", [{ name: "..", flag: "5" }]],
  "a backslash path": ["bad_path", [{ name: "..\\evil", body: "x" }]],
  "an empty name": ["bad_path", [{ name: "", body: "x" }]],
  "a doubled slash": ["bad_path", [{ name: "a//b", body: "x" }]],
  "a dot part": ["bad_path", [{ name: "a/./b", body: "x" }]],
  "a newline in a name": ["bad_path", [{ name: "a\nb", body: "x" }]],
  "an escape sequence in a name": ["bad_path", [{ name: "\x1b[2Ja", body: "x" }]],
  "a NUL in a name": ["bad_path", [{ name: "ok\0../../evil", body: "x" }]],
  "a NUL in a PAX name": ["bad_path", [pax({ path: "ok\0evil" }), { name: "a", body: "x" }]],
  "a NUL in a GNU name": ["bad_path", [gnuLong("L", "ok\0evil"), { name: "a", body: "x" }]],
  "a name that is not UTF-8": ["bad_path", [{ name: Buffer.from([0x61, 0xff]), body: "x" }]],
  "a file named as a directory": ["bad_path", [{ name: "a/", body: "x" }]],
  "a path part over 255 bytes": ["bad_path", [pax({ path: long(256) }), { name: "a" }]],
  "a path over 1024 bytes": [
    "bad_path",
    [pax({ path: `${`${long(200)}/`.repeat(6)}x` }), { name: "a" }],
  ],
  "a symlink out": ["link_escapes", [{ name: "a", flag: "2", link: "../../etc" }]],
  "an absolute symlink": ["link_escapes", [{ name: "a", flag: "2", link: "/etc/passwd" }]],
  "a symlink out by way of another": ["link_escapes", [
    { name: "deep/er/", flag: "5" },
    { name: "a", flag: "2", link: "deep/er" },
    { name: "b", flag: "2", link: "a/../../evil" },
  ]],
  "a symlink in a circle": ["link_escapes", [
    { name: "a", flag: "2", link: "b" },
    { name: "b", flag: "2", link: "a" },
  ]],
  "a symlink out in a PAX header": ["link_escapes", [
    pax({ linkpath: "../../../etc/shadow" }),
    { name: "a", flag: "2", link: "fine" },
  ]],
  "a symlink out in a GNU header": ["link_escapes", [
    gnuLong("K", "../".repeat(40)),
    { name: "a", flag: "2", link: "fine", magic: "ustar  \0" },
  ]],
  "a symlink without target": ["bad_path", [{ name: "a", flag: "2" }]],
  "a hard link out": ["hard_link", [{ name: "a", flag: "1", link: "../../etc/passwd" }]],
  "an absolute hard link": ["hard_link", [{ name: "a", flag: "1", link: "/etc/passwd" }]],
  "a hard link inside": ["hard_link", [{ name: "a", flag: "1", link: "manifest.yaml" }]],
  "a link, then a file through it": ["not_a_directory", [
    { name: "lib", flag: "2", link: "scripts" },
    { name: "lib/start.sh", body: "evil" },
  ]],
  "a file through a link that comes later": ["not_a_directory", [
    { name: "lib/start.sh", body: "evil" },
    { name: "lib", flag: "2", link: "scripts" },
  ]],
  "a directory in a link's place": ["duplicate_entry", [
    { name: "lib", flag: "2", link: "scripts" },
    { name: "lib/", flag: "5" },
  ]],
  "a file inside a file": ["not_a_directory", [{ name: "manifest.yaml/x", body: "x" }]],
  "a character device": ["device", [{ name: "null", flag: "3" }]],
  "a block device": ["device", [{ name: "sda", flag: "4" }]],
  "a FIFO": ["fifo", [{ name: "pipe", flag: "6" }]],
  "a contiguous file": ["unsupported_entry", [{ name: "a", flag: "7" }]],
  "a GNU sparse file": ["unsupported_entry", [{ name: "a", flag: "S", magic: "ustar  \0" }]],
  "a GNU dump directory": ["unsupported_entry", [{ name: "a", flag: "D", magic: "ustar  \0" }]],
  "a setuid file": ["setuid", [{ name: "su", body: "x", mode: 0o4755 }]],
  "a setgid file": ["setuid", [{ name: "su", body: "x", mode: 0o2755 }]],
  "a setuid directory": ["setuid", [{ name: "d/", flag: "5", mode: 0o4755 }]],
  "a sticky directory": ["setuid", [{ name: "d/", flag: "5", mode: 0o1777 }]],
  "a duplicate name": ["duplicate_entry", [{ name: "manifest.yaml", body: MANIFEST }]],
  "a duplicate name with ./": ["duplicate_entry", [{ name: "./manifest.yaml", body: MANIFEST }]],
  "a duplicate directory": ["duplicate_entry", [{ name: "d/", flag: "5" }, {
    name: "d",
    flag: "5",
  }]],
  "names that differ in case": ["case_collision", [{ name: "Manifest.YAML", body: "x" }]],
  "directories that differ in case": ["case_collision", [{ name: "Scripts/x", body: "x" }]],
  "names that differ in Unicode form": ["case_collision", [
    { name: "caf\u00e9", body: "x" },
    { name: "cafe\u0301", body: "x" },
  ]],
  "a negative size": ["bad_size", [{ name: "a", size: BASE256_NEGATIVE }]],
  "a huge size": ["bad_size", [{ name: "a", size: BASE256_HUGE }]],
  "a small size in base 256": ["bad_size", [{ name: "a", size: BASE256_SMALL, body: "x" }]],
  "a size with a sign": ["bad_size", [{ name: "a", size: Buffer.from("-0000000001\0") }]],
  "a size that is no number": ["bad_size", [{ name: "a", size: Buffer.from("0x0000000a\0\0") }]],
  "a PAX size with a sign": ["bad_size", [pax({ size: "-1" }), { name: "a" }]],
  "a PAX size that hides an entry": ["bad_size", [
    pax({ size: "512" }),
    { name: "a", size: 0 },
    { name: "../../evil" },
  ]],
  "a PAX size that shows an entry": ["bad_size", [
    pax({ size: "0" }),
    { name: "a", size: 512 },
    { name: "b" },
  ]],
  // With BusyBox as many entries as with GNU tar, but others.
  "two PAX sizes that swap entries": ["bad_size", [
    pax({ size: "0" }),
    { name: "a", size: 512 },
    { name: "b" },
    pax({ size: "512" }),
    { name: "c", size: 0 },
    { name: "../../evil" },
  ]],
  "a PAX size of a directory": ["bad_size", [
    pax({ size: "0" }),
    { name: "d/", flag: "5", size: 512 },
    { name: "b" },
  ]],
  "a PAX size of 8 GiB that are not there": ["truncated", [
    pax({ size: String(8 * 1024 ** 3) }),
    { name: "a", size: 0 },
  ]],
  "a PAX size just below 8 GiB": ["bad_size", [
    pax({ size: String(8 * 1024 ** 3 - 1) }),
    { name: "a", size: 0 },
  ]],
  "a size over the limit": ["too_large", [{ name: "a", size: 8 ** 12 - 1, magic: "ustar\x0000" }]],
  "a directory with a body": ["bad_size", [{ name: "d/", flag: "5", body: "x" }]],
  "a wrong header checksum": ["bad_header", [{ name: "a", body: "x", checksum: 1 }]],
  "an unknown header format": ["bad_header", [{ name: "a", body: "x", magic: "\0\0\0\0\0\0\0\0" }]],
  "a prefix in GNU format": ["bad_header", [{ name: "a", prefix: "../..", magic: "ustar  \0" }]],
  "a .. in the prefix": ["path_traversal", [{ name: "evil", prefix: "../..", body: "x" }]],
  "an absolute PAX name": ["absolute_path", [pax({ path: "/etc/evil" }), { name: "fine" }]],
  "a .. in a PAX name": ["path_traversal", [pax({ path: "../evil" }), { name: "fine" }]],
  "a .. in a GNU name": ["path_traversal", [gnuLong("L", "../evil"), { name: "fine" }]],
  "two PAX names": ["bad_header", [pax({ path: "a" }), pax({ path: "b" }), { name: "c" }]],
  "a PAX and a GNU name": ["bad_header", [pax({ path: "a" }), gnuLong("L", "b"), { name: "c" }]],
  "one PAX record twice": ["unsupported_extension", [
    { name: "x", flag: "x", body: "9 path=a\n9 path=b\n" },
    { name: "c" },
  ]],
  "a malformed PAX record": ["unsupported_extension", [
    { name: "x", flag: "x", body: "99 path=a\n" },
    { name: "c" },
  ]],
  "a global PAX name": ["unsupported_extension", [pax({ path: "a" }, "g"), { name: "c" }]],
  "extended attributes": ["unsupported_extension", [
    pax({ "SCHILY.xattr.security.capability": "x" }),
    { name: "c" },
  ]],
  "a PAX sparse file": ["unsupported_entry", [pax({ "GNU.sparse.major": "1" }), { name: "c" }]],
  "an endless PAX header": ["unsupported_extension", [
    { name: "x", flag: "x", body: "x".repeat(100_000) },
    { name: "c" },
  ]],
  "an extended header for nothing": ["bad_header", [pax({ path: "a" })]],
  "a file that is not in SHA256SUMS": ["not_in_sums", [{ name: "extra", body: "x" }]],
};

/** Whole files and the reason with which they are refused. */
export const HOSTILE_FILES: Record<string, [InvalidReason, () => Uint8Array]> = {
  "an empty file": ["truncated", () => new Uint8Array()],
  "a file that is no gzip": ["bad_gzip", () => Buffer.from("PK\x03\x04 not a tarball at all")],
  "a gzip of nothing": ["truncated", () => gzipSync("")],
  "a gzip of text": ["truncated", () => gzipSync("hello")],
  "a gzip that is cut off": ["truncated", () => sound().subarray(0, -100)],
  "a gzip without its trailer": ["truncated", () => sound().subarray(0, -4)],
  "a gzip with a wrong CRC": ["bad_gzip", () => flip(sound(), -6)],
  "garbage after the gzip": ["trailing_data", () => Buffer.concat([sound(), Buffer.from("evil")])],
  "zeros after the gzip": ["trailing_data", () => Buffer.concat([sound(), Buffer.alloc(100_000)])],
  "a tar that is cut off in a body": [
    "truncated",
    () => gzipSync(tar(soundEntries()).subarray(0, 512 + 10)),
  ],
  "a tar without its end": ["truncated", () => gzipSync(tar(soundEntries(), Buffer.alloc(0)))],
  "a tar with half its end": ["truncated", () => gzipSync(tar(soundEntries(), Buffer.alloc(512)))],
  "entries behind the end": [
    "trailing_data",
    () => gzipSync(Buffer.concat([tar(soundEntries()), tar([{ name: "evil", body: "x" }])])),
  ],
  "an entry behind half an end": ["trailing_data", () =>
    gzipSync(
      Buffer.concat([
        tar(soundEntries(), Buffer.alloc(512)),
        entryBlocks({ name: "evil" }),
        Buffer.alloc(1024),
      ]),
    )],
  "a second gzip member with entries": [
    "trailing_data",
    () => Buffer.concat([sound(), gzipSync(tar([{ name: "evil" }]))]),
  ],
  "no manifest": [
    "manifest_missing",
    () => gzipSync(tar([{ name: "scripts/start.sh", body: START, mode: 0o755 }])),
  ],
  "a manifest that is a link": [
    "manifest_missing",
    () =>
      gzipSync(tar([{ name: "manifest.yaml", flag: "2", link: "m.yaml" }, {
        name: "m.yaml",
        body: MANIFEST,
      }])),
  ],
  "a manifest that is none": ["manifest", () => withFiles({ "manifest.yaml": "- 1\n" })],
  "a manifest that is not UTF-8": [
    "manifest",
    () => gzipSync(tar([{ name: "manifest.yaml", body: Buffer.from([0xff, 0xfe]) }])),
  ],
  "a manifest of 1 MiB": ["too_large", () => withFiles({ "manifest.yaml": "#".repeat(1 << 20) })],
  "no start script": [
    "script_missing",
    () =>
      gzipSync(tar([{ name: "manifest.yaml", body: MANIFEST }, {
        name: "SHA256SUMS",
        body: sums({ "manifest.yaml": MANIFEST }),
      }])),
  ],
  "no health script": [
    "script_missing",
    () => withFiles({ "manifest.yaml": `${MANIFEST}health: {script: scripts/health.sh}\n` }),
  ],
  "a start script without #!": [
    "script_shebang",
    () => withFiles({ "scripts/start.sh": "exec x\n" }),
  ],
  "a start script with CRLF": [
    "script_line_ends",
    () => withFiles({ "scripts/start.sh": "#!/bin/sh\r\nexec x\r\n" }),
  ],
  "a container without image": [
    "file_missing",
    () => withFiles({ "manifest.yaml": MANIFEST.replace("managed_process", "docker_container") }),
  ],
  "no SHA256SUMS": ["sums_missing", () => gzipSync(tar(soundEntries().slice(1)))],
  "a wrong checksum": ["sums_mismatch", () => {
    const [first, ...rest] = soundEntries();
    const body = String(first?.body).replace(/^./, (digit) => digit === "0" ? "1" : "0");
    return gzipSync(tar([{ name: "SHA256SUMS", body }, ...rest]));
  }],
  "a changed file": ["sums_mismatch", () => {
    const bytes = tar(soundEntries());
    return gzipSync(flip(bytes, bytes.indexOf("exec sleep")));
  }],
  "a checksum of a missing file": ["file_missing", () => {
    const [first, ...rest] = soundEntries();
    return gzipSync(
      tar([{ ...first, name: "SHA256SUMS", body: first?.body + sums({ gone: "" }) }, ...rest]),
    );
  }],
  "a checksum of a link": ["file_missing", () => {
    const [first, ...rest] = soundEntries();
    const body = first?.body + sums({ link: MANIFEST });
    const link = { name: "link", flag: "2", link: "manifest.yaml" };
    return gzipSync(tar([{ name: "SHA256SUMS", body }, ...rest, link]));
  }],
  "a checksum file that is none": [
    "sums_malformed",
    () => gzipSync(tar([{ name: "SHA256SUMS", body: "hello\n" }, ...soundEntries().slice(1)])),
  ],
  "a checksum file with a path out": ["file_missing", () => {
    const [first, ...rest] = soundEntries();
    const body = first?.body + sums({ "/etc/hostname": "x" });
    return gzipSync(tar([{ name: "SHA256SUMS", body }, ...rest]));
  }],
};

function sound(): Buffer {
  return packageWith([]);
}

function withFiles(files: Record<string, string>): Buffer {
  return packageWith([], files);
}

function flip(bytes: Buffer, at: number): Buffer {
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  return bytes;
}

/** A file of zeros that gzip files are put together from: 64 MiB in 64 KiB. */
const BOMB_MEMBER_BYTES = 64 * 1024 * 1024;

/** 10 GB of zeros behind `first` in less than 10 MB, made in a moment: gzip files may be put together. */
export function bomb(first: Uint8Array): Buffer {
  const zeros = gzipSync(Buffer.alloc(BOMB_MEMBER_BYTES), { level: 9 });
  return Buffer.concat([gzipSync(first), ...Array.from({ length: 150 }, () => zeros)]);
}

/** The blocks of a sound package that goes on with a file of 8 GiB. */
export function bombEntries(): Buffer {
  const header = entryBlocks({ name: "zeros", size: 8 * 1024 ** 3 - 1 });
  return Buffer.concat([...soundEntries().map(entryBlocks), header]);
}

/** A sound package with a million empty files besides, each with a name of its own. */
export function millionFiles(): Buffer {
  const members = [gzipSync(Buffer.concat(soundEntries().map(entryBlocks)))];
  const blocks = Buffer.alloc(512 * 10_000);
  for (let first = 0; first < 1_000_000; first += 10_000) {
    for (let i = 0; i < 10_000; i++) emptyFile(blocks, 512 * i, first + i);
    members.push(gzipSync(blocks, { level: 1 }));
  }
  return Buffer.concat([...members, gzipSync(Buffer.alloc(1024))]);
}

const EMPTY_FILE = entryBlocks({ name: "f0000000" });
/** What a header's bytes add up to while its name is `f0000000`. */
const EMPTY_FILE_SUM = Number.parseInt(EMPTY_FILE.toString("latin1", 148, 154), 8);

/** Writes the header of the empty file `f<number>`: only its digits and its checksum differ from those of others. */
function emptyFile(blocks: Buffer, at: number, number: number): void {
  const digits = String(number).padStart(7, "0");
  EMPTY_FILE.copy(blocks, at);
  blocks.write(digits, at + 1, "latin1");
  const sum = [...digits].reduce((total, digit) => total + Number(digit), EMPTY_FILE_SUM);
  blocks.write(sum.toString(8).padStart(6, "0"), at + 148, "latin1");
}
