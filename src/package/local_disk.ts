/**
 * Tells directories on a disk of this machine from those behind a network or a program.
 *
 * @module
 */
import { statfs } from "node:fs/promises";

/** Types of Linux's statfs(2): ext2 to 4, XFS, Btrfs, tmpfs, ramfs, overlay, ZFS, F2FS, bcachefs. */
const LOCAL: ReadonlySet<number> = new Set([
  0xef53,
  0x58465342,
  0x9123683e,
  0x01021994,
  0x858458f6,
  0x794c7630,
  0x2fc12fc1,
  0xf2f52010,
  0xca451a4e,
]);

/**
 * Whether files in `dir` are on a disk of this machine: they can be read synchronously, because that ends, and they keep
 * their inode numbers. `false` where it is not known, as on macOS.
 */
export async function isOnLocalDisk(dir: string): Promise<boolean> {
  try {
    const { type } = await statfs(dir);
    return LOCAL.has(type >>> 0);
  } catch {
    return false; // Not allowed, or the runtime has no statfs.
  }
}
