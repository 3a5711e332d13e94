# SPDX-License-Identifier: MIT
"""An output that takes nothing costs lines and nothing else: serving goes on, and TERM ends it in order in its usual time
(FAULTS 42)."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios

import pytest

from balancing import Control
from headless import QUICK, ControlRoom
from house import program, request, wait_until

F_SETPIPE_SZ = 1031


class Blocked:
    """The control room with its output on a descriptor of ours."""

    def __init__(self, house, output, *words, env=None, **more):
        self.state = house.directory / "state"
        argv = [program("ascale-tui"), *words, "--state-dir", str(self.state)]
        for key, value in QUICK.items():
            argv += ["-s", f"{key}={value}"]
        self.log = self.state / "ascale.log"
        self.errors = open(house.directory / "errors", "wb")
        self.popen = subprocess.Popen(argv, stdin=more.pop("stdin", subprocess.DEVNULL), stdout=output,
                                      stderr=self.errors, env=dict(house.env, **(env or {})), cwd=house.directory,
                                      start_new_session=True, **more)

    def log_text(self):
        return self.log.read_text() if self.log.exists() else ""

    def balancer_port(self):
        path = self.state / "balancer.sock"
        wait_until(path.exists, 20, "the balancer's socket")
        control = Control(str(path))
        try:
            return int(control.command("hello", version=1)["listen"].rpartition(":")[2])
        finally:
            control.close()

    def serves(self):
        port = self.balancer_port()
        wait_until(lambda: request(port).status == 200, 20, "an answer")
        return True

    def ends_in_order(self, number=signal.SIGTERM):
        os.kill(self.popen.pid, number)
        wait_until(lambda: self.popen.poll() is not None, 15, "its end")
        self.errors.close()
        return self.popen.returncode


@pytest.fixture
def blocked(house):
    rooms = []

    def start(*words, **more):
        rooms.append(Blocked(house, *words, **more))
        return rooms[-1]

    yield start
    for room in rooms:
        if room.popen.poll() is None:
            room.popen.terminate()
            room.popen.wait()


def full_pipe():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    try:
        while os.write(writer, b"x" * 4096):
            pass
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    return reader, writer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_reader_that_stopped_holds_up_nothing(blocked, number):
    reader, writer = full_pipe()
    room = blocked(writer, "--headless")
    assert room.serves()
    assert room.ends_in_order(number) == 0
    os.close(reader)
    os.close(writer)


def test_a_reader_that_has_gone_ends_nothing(blocked):
    reader, writer = os.pipe()
    os.close(reader)
    room = blocked(writer, "--headless")
    os.close(writer)
    assert room.serves()
    wait_until(lambda: "standard output cannot be written: Broken pipe" in room.log_text(), what="the log to say so")
    assert room.ends_in_order() == 0


def test_a_full_disk_ends_nothing(blocked):
    with open("/dev/full", "wb") as full:
        room = blocked(full, "--headless")
        assert room.serves()
        wait_until(lambda: "No space left on device" in room.log_text(), what="the log to say so")
        assert room.ends_in_order() == 0


def test_without_any_output_it_serves(blocked):
    room = blocked(None, "--headless", preexec_fn=lambda: os.close(1))
    assert room.serves()
    assert room.ends_in_order() == 0


def test_a_reload_is_heard_while_lines_are_stuck(blocked):
    reader, writer = full_pipe()
    room = blocked(writer, "--headless")
    assert room.serves()
    os.kill(room.popen.pid, signal.SIGHUP)
    wait_until(lambda: "command reload" in room.log_text(), what="the reload")
    assert room.ends_in_order() == 0
    os.close(reader)
    os.close(writer)


def unread_terminal(columns=120, lines=40):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    return master, slave


@pytest.mark.parametrize("words", [[], ["--plain"]], ids=["screen", "plain"])
def test_a_terminal_that_nobody_reads_holds_up_nothing(blocked, words):
    master, slave = unread_terminal()
    room = blocked(slave, *words, "-s", "ui.frame_interval=50ms", stdin=slave, env={"TERM": "xterm-256color"})
    assert room.serves()
    # Frames at 20 a second fill what the kernel keeps for the reader.
    wait_until(lambda: len(os.read(master, 1)) == 1, what="a first byte")
    port = room.balancer_port()
    for _ in range(50):
        assert request(port).status == 200
    assert room.ends_in_order() == 0
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU])
def test_signals_that_kill_leave_the_terminal_sane(house, number):
    terminal = house.terminal([program("ascale-tui"), *sum((["-s", f"{k}={v}"] for k, v in QUICK.items()), [])],
                              cwd=house.directory)
    terminal.expected_orphans = True
    terminal.wait_for_text("1 ready", 20)
    terminal.signal(number)
    assert terminal.wait() == -number
    wait_until(terminal.echoes, 5, "echo")
    wait_until(lambda: not terminal.on_alternate_screen(), 5, "the terminal's own screen")


def test_usr1_opens_the_log_anew_and_ends_nothing(house):
    control = ControlRoom(house)
    control.wait_ready(1)
    log = control.state / "ascale.log"
    log.rename(control.state / "old.log")
    control.process.signal(signal.SIGUSR1)
    wait_until(log.exists, what="a new log")
    log.rename(control.state / "older.log")
    control.reload(scaling__min_instances=2)
    wait_until(log.exists, what="a new log, by itself")
    control.wait_ready(2)
    assert control.stop() == 0
