/**
 * What the suites about a hostile service user share: what he plants in the directories that are his, and a record of
 * every file that a process of root's has touched.
 */
import assert from "node:assert/strict";

/**
 * Shell text for a service's script: for ever plants links to `$SECRET`, FIFOs, directories, foreign hard links and
 * devices under every name that one of our scripts might use, in everything that the user is given.
 */
export const PLANT = `
plant() {
  for d in "$HARNESS_LOG_DIR" "$HARNESS_DATA_DIR"; do
    for n in web.log web.log.1 web.log.5 web.log.new recovery.log web.pid web.exit web.stop web.sh state.json env \\
      current lock -rf --help '*' x.tmp; do
      rm -rf -- "$d/$n"
      case $1 in
        0) ln -s -- "$SECRET" "$d/$n" ;;
        1) mkfifo -- "$d/$n" ;;
        2) mkdir -- "$d/$n" && ln -s "$SECRET" "$d/$n/x" ;;
        3) echo mine > "$d/mine" && ln -- "$d/mine" "$d/$n" ;;
        4) ln -s /dev/zero "$d/$n" ;;
        5) ln -s -- "\${SECRET%/*}" "$d/$n" ;;
        6) ln -s -- "$d/$n" "$d/$n" ;;
      esac
    done
  done 2>/dev/null
}
# All of it is there before anybody else looks, and swapped while they do.
plant 0
{ round=1; while :; do plant $((round % 7)); round=$((round + 1)); sleep 0.1; done; } &
`;

/** A file of root's that nobody else may see or change. */
export class Secret {
  readonly path: string;
  readonly text = `only root may read ${crypto.randomUUID()}`;
  readonly #before: string;

  /** Makes it below `dir`, in a directory that everybody can enter. */
  constructor(dir: string) {
    Deno.mkdirSync(`${dir}/roots`, { mode: 0o755 });
    this.path = `${dir}/roots/secret`;
    Deno.writeTextFileSync(this.path, this.text, { mode: 0o600 });
    this.#before = this.#facts();
  }

  /** Asserts that nobody has written to it, renamed it, or changed whose it is. */
  assertUntouched(): void {
    assert.equal(Deno.readTextFileSync(this.path), this.text);
    assert.equal(this.#facts(), this.#before);
    assert.deepEqual([...Deno.readDirSync(this.path.replace(/\/[^/]*$/, ""))].map((e) => e.name), [
      "secret",
    ]);
  }

  #facts(): string {
    const { ino, mode, uid, gid, nlink, mtime, ctime } = Deno.lstatSync(this.path);
    return JSON.stringify([ino, mode, uid, gid, nlink, mtime, ctime]);
  }
}

/** One file that a process touched: call, path, user. */
interface Touch {
  line: number;
  pid: number;
  call: string;
  text: string;
}

/** The words of a strace that follows children and shows the paths of descriptors, with only what the parser reads. */
export const STRACE: readonly string[] = [
  "-f",
  "-y",
  // Not -qq: it says when a process has ended.
  "-q",
  "--seccomp-bpf",
  "-s",
  "400",
  "-e",
  "trace=%file,fork,vfork,clone,clone3,setuid,setreuid,setresuid",
  "-e",
  "signal=none",
];

/**
 * The calls of root's processes in a trace that reach into one of `dirs`: everything but making it, looking at it and
 * setting its owner from outside.
 */
export function rootTouches(trace: string, dirs: readonly string[]): string[] {
  const lines = trace.split("\n");
  const users = new Map<number, { line: number; uid: number }[]>();
  // A number may be that of several processes, one after the other.
  const births = new Map<number, { line: number; pid: number }[]>();
  const ends = new Map<number, number[]>();
  const touches: Touch[] = [];
  lines.forEach((text, line) => {
    const [, id, rest = ""] = /^(\d+) +(.*)$/.exec(text) ?? [];
    if (id === undefined) return;
    const pid = Number(id);
    if (/^\+\+\+ (?:exited|killed) /.test(rest)) ends.set(pid, [...ends.get(pid) ?? [], line]);
    const child = /^(?:(?:<\.\.\. )?(?:fork|vfork|clone3?)\b.*) = (\d+)(?:<.*>)?$/.exec(rest)?.[1];
    if (child !== undefined) {
      const born = Number(child);
      births.set(born, [...births.get(born) ?? [], { line, pid }]);
    }
    const user = /^set(?:re|res)?uid\((\d+)/.exec(rest)?.[1];
    if (user !== undefined && / = 0$|unfinished/.test(rest)) {
      users.set(pid, [...users.get(pid) ?? [], { line, uid: Number(user) }]);
    }
    if (dirs.some((dir) => rest.includes(dir))) {
      touches.push({ line, pid, call: /^\w+/.exec(rest)?.[0] ?? "", text: rest });
    }
  });
  const uidAt = (pid: number, line: number): number => {
    const since = ends.get(pid)?.findLast((end) => end < line) ?? -1;
    // Not the last one before: a child's first lines may stand before the one in which its parent's call returns.
    const birth = births.get(pid)?.find((life) => life.line > since);
    const own = users.get(pid)?.findLast((change) => change.line < line && change.line > since);
    if (own !== undefined) return own.uid;
    return birth === undefined || birth.pid === pid ? 0 : uidAt(birth.pid, birth.line);
  };
  const outside =
    /^(?:mkdir|mkdirat|stat|lstat|newfstatat|statx|access|faccessat2?|fchownat|lchown|execve)$/;
  return touches.filter(({ line, pid, call, text }) => {
    if (uidAt(pid, line) !== 0) return false;
    // As an argument of a program (mkdir, chown) it is only a name.
    if (call === "execve") return false;
    const inside = dirs.some((dir) => text.includes(`${dir}/`) || text.includes(`${dir}>`));
    return inside || !outside.test(call);
  }).map(({ pid, text }) => `${pid} ${text}`);
}
