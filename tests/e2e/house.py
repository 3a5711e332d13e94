# SPDX-License-Identifier: MIT
"""What the end-to-end tests share: processes that never outlive their test, terminals, polling and raw HTTP.

Nothing here sleeps for a fixed time: conditions are polled up to a deadline. ASCALE_BUILD names the build tree,
ASCALE_SLOW stretches every deadline (sanitizers, busy machines).
"""

import contextlib
import ctypes
import fcntl
import http.client
import os
import pty
import random
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path

import pyte

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ASCALE_BUILD", SOURCE / "build")).resolve()
SLOW = float(os.environ.get("ASCALE_SLOW", "1"))
PR_SET_CHILD_SUBREAPER = 36


def program(name):
    """The built program of that name."""
    path = BUILD / name
    assert path.exists(), f"{path} is not built"
    return str(path)


def wait_until(condition, deadline=10.0, what=None):
    """Polls until condition() is true and returns its value; fails after `deadline` seconds."""
    end = time.monotonic() + deadline * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            name = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(f"waited {deadline * SLOW:g} s for {name}")
        time.sleep(0.01)


def free_port():
    """A port nobody listens on now, and that the kernel gives to nobody: only another test could take it in between.
    Prefer port 0 and reading what was bound."""
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.SystemRandom().randrange(end // 2, end)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def accepts(port):
    """Whether something accepts connections on that port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def raw_request(port, data, timeout=5.0, half_close=False):
    """Sends bytes, returns every byte that comes back until the peer closes or goes quiet for `timeout` seconds."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout * SLOW) as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except (socket.timeout, ConnectionResetError):
            pass
    return answer


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()


def request(port, path="/", method="GET", body=None, headers=None, timeout=10.0):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout * SLOW)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def try_request(port, path="/", **more):
    """The answer, or None when there is none."""
    try:
        return request(port, path, **more)
    except (OSError, http.client.HTTPException):
        return None


def process_stat(pid):
    """(state, parent, process group, session) from /proc, or None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return fields[0], int(fields[1]), int(fields[2]), int(fields[3])


def alive(pid):
    stat = process_stat(pid)
    return stat is not None and stat[0] not in "ZX"


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def descendants(root, dead=False):
    """Every process below root, nearest first; zombies only when `dead`."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := process_stat(entry)):
            children.setdefault(stat[1], []).append((int(entry), stat[0]))
    found, queue = [], [root]
    while queue:
        for pid, state in children.get(queue.pop(0), []):
            queue.append(pid)
            if dead or state not in "ZX":
                found.append(pid)
    return found


def become_subreaper():
    """Orphans of what we start come back to us, so that none can hide behind pid 1."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans(own):
    """Collects dead children that are not `own` (those belong to their Popen)."""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in own:
            stat = process_stat(entry)
            if stat and stat[0] == "Z" and stat[1] == os.getpid():
                try:
                    os.waitpid(int(entry), os.WNOHANG)
                except ChildProcessError:
                    pass


class Process:
    """A program with its output in a file; the leader of a session of its own."""

    def __init__(self, argv, log, env=None, cwd=None, stdin=subprocess.DEVNULL, **more):
        self.argv = [str(word) for word in argv]
        self.log = Path(log)
        self.expected_orphans = False
        with open(self.log, "wb") as out:
            self.popen = subprocess.Popen(
                self.argv, stdin=stdin, stdout=out, stderr=subprocess.STDOUT,
                env=env, cwd=cwd, start_new_session=True, **more)
        self.pid = self.popen.pid

    def output(self):
        return self.log.read_text(errors="replace")

    def running(self):
        return self.popen.poll() is None

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, deadline=15.0):
        """Its exit status; negative is a signal."""
        wait_until(lambda: not self.running(), deadline, f"the end of {self.argv[0]}")
        return self.popen.returncode

    def terminate(self, deadline=15.0):
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait(deadline)

    def wait_for(self, pattern, deadline=10.0):
        """The first match of the regular expression in its output; fails at once when the program has ended."""
        expression = re.compile(pattern, re.M)

        def found():
            ended = not self.running()
            match = expression.search(self.output())
            if ended and not match:
                raise AssertionError(f"{self.argv[0]} ended with {self.popen.returncode} before saying {pattern!r}")
            return match

        return wait_until(found, deadline, f"{pattern!r} from {self.argv[0]}")

    def describe(self):
        return f"$ {' '.join(self.argv)}\n{self.output()[-8000:]}"


class Screen(pyte.Screen):
    """pyte lacks REP, SU and SD: ncurses uses them for runs of one character and to move rows."""

    last = " "

    def draw(self, data):
        super().draw(data)
        if data:
            self.last = data[-1]

    def repeat_last(self, count=1, **_):
        super().draw(self.last * max(count, 1))

    def _scroll(self, edge, step, count):
        x, y = self.cursor.x, self.cursor.y
        self.cursor.y = (self.margins or (0, self.lines - 1))[edge]
        for _ in range(max(count, 1)):
            step()
        self.cursor.x, self.cursor.y = x, y

    def scroll_up(self, count=1, **_):
        self._scroll(1, self.index, count)

    def scroll_down(self, count=1, **_):
        self._scroll(0, self.reverse_index, count)

    def select_graphic_rendition(self, *attributes, **private):
        if not private:
            super().select_graphic_rendition(*attributes)


class Stream(pyte.ByteStream):
    csi = dict(pyte.ByteStream.csi, b="repeat_last", S="scroll_up", T="scroll_down")
    events = pyte.ByteStream.events | {"repeat_last", "scroll_up", "scroll_down"}


def keep_output(terminal):
    """A ^C, ^Z or ^\\ typed after the program put the terminal back would discard what the reader has not read yet (4 KiB
    and up): the kernel does so, and a test on what the program wrote would fail by chance."""
    settings = termios.tcgetattr(terminal)
    settings[3] |= termios.NOFLSH
    termios.tcsetattr(terminal, termios.TCSANOW, settings)


class Terminal:
    """A program on a pseudo terminal. A thread of its own reads, so that the program never waits for the test."""

    def __init__(self, argv, columns=120, lines=40, term="xterm-256color", env=None, cwd=None):
        self.argv = [str(word) for word in argv]
        self.screen = Screen(columns, lines)
        self.stream = Stream(self.screen)
        self.lock = threading.Lock()
        self.raw = bytearray()
        self.expected_orphans = False
        self.master, slave = pty.openpty()
        keep_output(slave)
        self._set_size(columns, lines)
        env = dict(env or os.environ, NCURSES_NO_UTF8_ACS="1")
        env.pop("LINES", None)
        env.pop("COLUMNS", None)
        env.pop("TERM", None)
        if term is not None:
            env["TERM"] = term
        self.popen = subprocess.Popen(
            self.argv, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=cwd, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.pid = self.popen.pid
        os.close(slave)
        self.quit_pipe = os.pipe()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _set_size(self, columns, lines):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _read(self):
        while True:
            ready, _, _ = select.select([self.master, self.quit_pipe[0]], [], [])
            if self.quit_pipe[0] in ready:
                return
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            with self.lock:
                self.raw += data
                self.stream.feed(data)

    def send(self, keys):
        """Types: str or bytes as the terminal would send them."""
        data = keys.encode() if isinstance(keys, str) else keys
        while data:
            data = data[os.write(self.master, data):]

    def resize(self, columns, lines):
        with self.lock:
            self.screen.resize(lines, columns)
        self._set_size(columns, lines)

    def lines(self):
        with self.lock:
            return [line.rstrip() for line in self.screen.display]

    def screen_text(self):
        return "\n".join(self.lines())

    def bytes_read(self):
        with self.lock:
            return len(self.raw)

    def raw_bytes(self):
        with self.lock:
            return bytes(self.raw)

    def io(self):
        """(write calls, bytes written) of the program so far, by the kernel's count; sockets' send() is not in it."""
        fields = dict(line.split(": ") for line in Path(f"/proc/{self.pid}/io").read_text().splitlines())
        return int(fields["syscw"]), int(fields["wchar"])

    def wait_for_text(self, pattern, deadline=10.0):
        """The match of the regular expression on the screen."""
        expression = re.compile(pattern, re.M)
        return wait_until(lambda: expression.search(self.screen_text()), deadline, f"{pattern!r} on the screen")

    def wait_for_absence(self, pattern, deadline=10.0):
        expression = re.compile(pattern, re.M)
        wait_until(lambda: not expression.search(self.screen_text()), deadline, f"{pattern!r} to leave the screen")

    def cursor_hidden(self):
        return self._last_of(rb"\x1b\[\?25([hl])") == b"l"

    def on_alternate_screen(self):
        return self._last_of(rb"\x1b\[\?1049([hl])") == b"h"

    def marks_pastes(self):
        return self._last_of(rb"\x1b\[\?2004([hl])") == b"h"

    def _last_of(self, pattern):
        found = re.findall(pattern, self.raw_bytes())
        return found[-1] if found else None

    def echoes(self):
        """Whether the terminal is back in its ordinary mode."""
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def running(self):
        return self.popen.poll() is None

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, deadline=15.0):
        wait_until(lambda: not self.running(), deadline, f"the end of {self.argv[0]}")
        self.reader.join(SLOW)  # to its last words, unless it left somebody on the terminal
        return self.popen.returncode

    def terminate(self, deadline=15.0):
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait(deadline)

    def output(self):
        return self.raw_bytes().decode(errors="replace")

    def hang_up(self):
        """Closes the terminal under the program, as a lost connection does."""
        if self.master >= 0:
            os.write(self.quit_pipe[1], b"q")
            self.reader.join()
            os.close(self.master)
            self.master = -1

    def close(self):
        self.hang_up()
        for descriptor in self.quit_pipe:
            os.close(descriptor)

    def describe(self):
        return f"$ {' '.join(self.argv)}\n{self.screen_text()}\n-- last bytes --\n{self.raw_bytes()[-2000:]!r}"


class House:
    """Everything one test has started. close() ends it in order and says what was left behind."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.started = []
        self.before = set(descendants(os.getpid()))
        home = self.directory / "home"
        home.mkdir()
        self.env = {
            key: value for key, value in os.environ.items()
            if key in ("PATH", "LANG", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")}
        self.env.update(HOME=str(home), XDG_STATE_HOME=str(self.directory / "state"),
                        XDG_CONFIG_HOME=str(home / ".config"), PYTHONDONTWRITEBYTECODE="1")
        self.env.setdefault("LC_ALL", "C.UTF-8")

    def spawn(self, argv, env=None, **more):
        log = self.directory / f"{len(self.started)}-{Path(str(argv[0])).name}.log"
        process = Process(argv, log, env=dict(self.env, **(env or {})), **more)
        self.started.append(process)
        return process

    def terminal(self, argv, env=None, **more):
        terminal = Terminal(argv, env=dict(self.env, **(env or {})), **more)
        self.started.append(terminal)
        return terminal

    def run(self, argv, deadline=30.0, env=None, **more):
        """Runs to its end; returns (status, output)."""
        process = self.spawn(argv, env=env, **more)
        return process.wait(deadline), process.output()

    def left(self):
        own = {process.pid for process in self.started}
        reap_orphans(own)
        return [pid for pid in descendants(os.getpid()) if pid not in self.before]

    def close(self):
        problems = []
        for process in reversed(self.started):
            try:
                process.terminate()
            except AssertionError as error:
                problems.append(f"{error} after SIGTERM")
        try:
            wait_until(lambda: not self.left(), 2)
        except AssertionError:
            problems += [f"left behind: {pid} {command_line(pid)}" for pid in self.left()]
        if any(process.expected_orphans for process in self.started):
            problems = []
        self.kill_rest()
        for process in self.started:
            if isinstance(process, Terminal):
                process.close()
        return problems

    def kill_rest(self):
        def gone():
            rest = self.left()
            for pid in rest:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return not rest

        wait_until(gone, 10, "the end of what was killed")
        for process in self.started:
            process.popen.wait()
