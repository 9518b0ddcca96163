"""Runs a program in a pseudo-terminal: its output to stdout, orders as lines of JSON from stdin, its end to stderr.

Usage: pty_child.py COLUMNS ROWS PROGRAM [ARGUMENT ...]
Orders: {"input": "text"}, {"resize": [columns, rows]}, {"signal": number}.
End: {"code": number or null, "signal": number or null, "modes": {"echo": bool, "canonical": bool}}.
"""
import fcntl, json, os, pty, select, signal, struct, sys, termios


def set_size(fd, columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def obey(fd, pid, order):
    if "input" in order:
        os.write(fd, order["input"].encode())
    if "resize" in order:
        set_size(fd, *order["resize"])
    if "signal" in order:
        os.kill(pid, order["signal"])


def read(fd):
    try:
        return os.read(fd, 65536)
    except OSError:  # EIO: nobody has the terminal open any more.
        return b""


def main():
    columns, rows, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    # Kept open here too, so that the terminal's modes can be read when the program has ended.
    master, terminal = pty.openpty()
    set_size(master, columns, rows)
    pid = os.fork()
    if pid == 0:
        os.close(master)
        os.login_tty(terminal) if hasattr(os, "login_tty") else login_tty(terminal)
        try:
            os.execvp(program[0], program)
        except OSError as error:
            os.write(2, f"{program[0]}: {error.strerror}\r\n".encode())
            os._exit(127)
    orders, status = b"", None
    inputs = [master, 0]
    while True:
        ready, _, _ = select.select(inputs, [], [], 0.02)
        if master in ready:
            os.write(1, read(master))
        elif status is not None:
            break  # It has ended, and all that it wrote is read.
        if 0 in ready:
            more = os.read(0, 65536)
            if not more:  # Whoever asked for it is gone.
                inputs.remove(0)
                if status is None:
                    os.killpg(pid, signal.SIGKILL)
            orders += more
            while b"\n" in orders:
                line, _, orders = orders.partition(b"\n")
                if status is None:
                    obey(master, pid, json.loads(line))
        if status is None:
            ended, value = os.waitpid(pid, os.WNOHANG)
            status = value if ended == pid else None
    flags = termios.tcgetattr(terminal)[3]
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    modes = {"echo": bool(flags & termios.ECHO), "canonical": bool(flags & termios.ICANON)}
    print(json.dumps({"code": code, "signal": ended_by, "modes": modes}), file=sys.stderr)


def login_tty(terminal):  # Python before 3.11
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(terminal, fd)
    if terminal > 2:
        os.close(terminal)


main()
