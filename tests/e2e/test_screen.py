# SPDX-License-Identifier: MIT
"""The control room on a terminal: what is shown, what keys do, what it costs, and how it leaves the terminal."""

import contextlib
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from house import SLOW, SOURCE, alive, descendants, process_stat, program, wait_until

QUICK = {
    "app.base_port": "0",
    "app.command": "ascale-app --port {port}",
    "app.health_interval": "100ms",
    "app.stop_timeout": f"{3 * SLOW:g}s",
    "balancer.listen": "127.0.0.1:0",
    "scaling.polling_interval": "1s",
    "scaling.cooldown_up": "0s",
    "scaling.cooldown_down": "0s",
}
ESC = "\x1b"
CTRL_C = "\x03"
CTRL_Z = "\x1a"
FIXTURES = SOURCE / "tests" / "unit" / "fixtures"


@pytest.fixture
def screen(house):
    def start(*words, settings=None, wrap=None, **more):
        argv = [program("ascale-tui"), *words]
        for key, value in (QUICK | (settings or {})).items():
            argv += ["-s", f"{key}={value}"]
        terminal = house.terminal((wrap or (lambda a: a))(argv), cwd=house.directory, **more)
        return terminal

    return start


def roll(terminal):
    """Step by step: a question takes no key that came together with the one that opened it."""
    terminal.send("x")
    terminal.wait_for_text("Act on an instance")
    terminal.send("a")
    terminal.wait_for_text(r"Really roll all\?")
    terminal.send("y")


def change_mode(terminal):
    terminal.send("a")
    terminal.wait_for_text(r"(Hold the count at \d+|Let the strategy decide)\? y = yes, n = no")
    terminal.send("y")


def quit_by_keys(terminal):
    def asked():
        return not terminal.running() or re.search("still running|STOPPING", terminal.screen_text())

    def ask():
        """Right behind an Esc it is Alt-q, which is no key: then again, and the Esc before it."""
        for key in ("q", ESC):
            terminal.send(key)
            with contextlib.suppress(AssertionError):
                return wait_until(asked, 1)
        return False

    wait_until(ask, 30, "the question")
    if terminal.running():
        terminal.send("s")
    assert terminal.wait(20) == 0
    assert_sane(terminal)


def assert_sane(terminal):
    """The terminal as it was found: echo on, its own screen, a cursor."""
    wait_until(terminal.echoes, 5, "echo")
    wait_until(lambda: not terminal.on_alternate_screen(), 5, "the terminal's own screen")
    wait_until(lambda: not terminal.cursor_hidden(), 5, "a cursor")
    assert not terminal.marks_pastes()


@pytest.mark.quick
def test_an_operator_takes_over(screen):
    room = screen()
    room.wait_for_text(r"\[AUTO\].* 1 ready")
    room.wait_for_text(r"i1 +\d+ +\d+ +READY")
    room.send("+")
    room.wait_for_text(r"Scale 1 -> 2\? y = yes, n = no")
    room.send("\r")
    room.send("y")
    room.wait_for_text(r"done: ")
    room.wait_for_text(r"i2 +\d+ +\d+ +READY")
    room.wait_for_text("MANUAL  1>2")
    change_mode(room)
    room.wait_for_text(r"\[MANUAL\]")
    room.send("t")
    room.wait_for_text("With these, the scaler would now:")
    room.send("60%\r")
    room.wait_for_text("up 60")
    room.send("\t\r")
    room.wait_for_text("because|event|at ")
    room.send(ESC)
    quit_by_keys(room)
    assert not [pid for pid in descendants(room.pid) if alive(pid)]


def test_ctrl_c_twice_stops_in_order(screen):
    room = screen()
    room.wait_for_text("1 ready")
    room.send(CTRL_C)
    room.wait_for_text("1 instance is still running")
    room.send(CTRL_C)
    assert room.wait(20) == 0
    assert_sane(room)


@pytest.mark.quick
def test_saving_shows_the_difference_and_keeps_comments(screen, house):
    ini = Path(house.directory) / "mine.ini"
    ini.write_text("# a word of mine\n[scaling]\nscale_up_threshold = 50%\n")
    room = screen("-c", ini)
    room.wait_for_text("1 ready")
    room.send("t")
    room.wait_for_text("Enter: apply")
    room.send("61%\r")
    room.wait_for_text("up 61")
    room.send("w")
    room.wait_for_text(r"scale_up_threshold = 61%")
    room.wait_for_text(r"Save\? y = yes, n = no")
    room.send("y")
    wait_until(lambda: "61%" in ini.read_text(), 5, "the saved file")
    assert "# a word of mine" in ini.read_text()
    quit_by_keys(room)


def test_saving_to_an_ini_that_others_change(screen, house):
    ini = Path(house.directory) / "mine.ini"
    ini.write_text("# a word of mine\n[scaling]\nscale_up_threshold = 50%\n")
    room = screen("-c", ini)
    room.wait_for_text("1 ready")
    room.send("t")
    room.wait_for_text("Enter: apply")
    room.send("61%\r")
    room.wait_for_text("up 61")
    room.send("w")
    room.wait_for_text(r"Save\? y = yes, n = no")
    subprocess.run(["sed", "-i", "s/a word of mine/another word/", ini], check=True)
    edited = ini.read_text()
    room.send("y")
    room.wait_for_text("not saved: the file or the settings have changed")
    assert ini.read_text() == edited
    room.send(ESC)
    room.wait_for_absence("look at it again")
    ini.unlink()
    room.send("w")
    room.wait_for_text("The file is gone")
    room.wait_for_text(r"\+scale_up_threshold = 61%")
    assert not ini.exists()
    room.wait_for_text(r"Save\? y = yes, n = no")
    room.send("y")
    wait_until(ini.exists, 5, "the new file")
    quit_by_keys(room)
    assert "scale_up_threshold = 61%\n" in ini.read_text()


def test_reloading_shows_what_changes_and_when(screen, house):
    ini = Path(house.directory) / "mine.ini"
    ini.write_text("[scaling]\nscale_up_threshold = 50%\n")
    room = screen("-c", ini)
    room.wait_for_text("up 50")
    room.send("R")
    room.wait_for_text("Nothing differs")
    room.send(ESC)
    room.wait_for_absence("Nothing differs")  # R that came with it would be Alt-R
    ini.write_text("[scaling]\nscale_up_threshold = 61%\n[app]\nuser = root\n[balancer]\nthreads = 2\n")
    room.send("R")
    room.wait_for_text(r"At once:[^\n]*\n[^\n]*scaling\.scale_up_threshold: 50% -> 61%")
    room.wait_for_text(r"instances started from now on:[^\n]*\n[^\n]*app\.user: none -> root")
    room.wait_for_text(r"next start only:[^\n]*\n[^\n]*balancer\.threads: 1 -> 2")
    room.send("\r")
    room.send("n")
    room.wait_for_absence("Reload")
    room.wait_for_text("up 50")
    room.send("R")
    room.wait_for_text(r"Reload\? y = yes, n = no")
    room.send("y")
    room.wait_for_text(r"done: .*scaling\.scale_up_threshold = 61%")
    room.wait_for_text("up 61")
    ini.write_text("[scaling]\nscale_up_treshold = 61%\n")
    room.send("R")
    room.wait_for_text("is not an option; the nearest one is")
    room.wait_for_absence(r"Reload\? y")
    room.send(ESC)
    quit_by_keys(room)


def test_a_roll_to_what_does_not_start_keeps_the_old(screen, house):
    app = Path(house.directory) / "app"
    app.write_text(f'#!/bin/sh\nexec {program("ascale-app")} --port "$1"\n')
    app.chmod(0o755)
    room = screen(settings={"app.command": f"{app} {{port}}"})
    pid = int(room.wait_for_text(r"i1 +\d+ +(\d+) +READY").group(1))
    broken = Path(house.directory) / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    broken.rename(app)
    roll(room)
    room.wait_for_text("ROLLING  1 instance left")
    room.wait_for_text(r"the roll is stopped, since i2 cannot be started; 1 not replaced", 40)
    room.wait_for_text(r"! i2 \(pid \d+\) exit status 3 after \S+; 6 failures in a row")
    room.wait_for_absence("ROLLING")
    assert alive(pid) and re.search(rf"{pid} +READY", room.screen_text())
    quit_by_keys(room)


def test_a_roll_that_its_controller_did_not_survive_goes_on(screen, house):
    """The next one starts with what the first had come to: one new instance that waits, two old ones."""
    app, gate = Path(house.directory) / "app", Path(house.directory) / "gate"
    app.write_text(f'#!/bin/sh\nuntil [ -e {gate} ]; do sleep 0.1; done\nexec {program("ascale-app")} --port "$1"\n')
    app.chmod(0o755)
    gate.touch()
    settings = {"app.command": f"{app} {{port}}", "scaling.min_instances": "2", "scaling.max_instances": "2"}
    first = screen(settings=settings)
    row = r"^\W*i{} +\d+ +(\d+) +{}"
    old = [int(first.wait_for_text(row.format(i, "READY")).group(1)) for i in (1, 2)]
    gate.unlink()
    roll(first)
    third = int(first.wait_for_text(row.format(3, "STARTING")).group(1))
    state = Path(house.directory) / "state" / "ascale" / "state.json"
    wait_until(lambda: f'"pid": {third}' in state.read_text(), what="the record of it")
    first.expected_orphans = True
    first.signal(signal.SIGKILL)
    first.wait()
    second = screen(settings=settings)
    second.wait_for_text("the roll goes on, 2 to replace")
    second.wait_for_text("ROLLING  2 instances left")
    assert all(alive(pid) for pid in [*old, third])
    gate.touch()
    second.wait_for_text("the roll is done: all instances have been started anew", 40)
    assert alive(third) and not any(alive(pid) for pid in old)
    quit_by_keys(second)


def test_read_only_refuses_out_loud(screen):
    room = screen("--read-only")
    room.wait_for_text("1 ready")
    room.send("+")
    room.wait_for_text("refused: this screen is read-only")
    room.send("a")
    room.wait_for_text(r"\[AUTO\]")
    quit_by_keys(room)


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.parametrize("term", ["xterm-256color", "screen-256color", "tmux-256color", "linux", "vt100", "xterm"])
def test_every_terminal_at_every_size(screen, term, locale):
    room = screen(term=term, env={"LC_ALL": locale}, columns=30, lines=8)
    room.wait_for_text(r"AUTO 1/1")
    for columns, lines, sign in [(40, 12, "HOLD|UP"), (80, 24, "LAST|UP  "), (120, 40, "LAST LOG LINE"),
                                 (300, 100, "LAST LOG LINE"), (30, 8, "AUTO 1/1")]:
        room.resize(columns, lines)
        room.signal(signal.SIGWINCH)
        room.wait_for_text(sign)
    if locale == "C":
        assert all(byte < 0x80 for byte in room.raw_bytes())
    room.send("q")
    room.wait_for_text(r"Quit\? s stop")
    room.send("s")
    assert room.wait(20) == 0
    wait_until(room.echoes, 5, "echo")


@pytest.mark.parametrize("term", ["xterm-no-such-terminal", "ghostty-2099"])
def test_an_unknown_terminal_is_taken_for_an_xterm(screen, term):
    room = screen(term=term)
    room.wait_for_text(f"TERM={term} is not known to terminfo here; shown as for xterm-256color")
    room.wait_for_text("1 ready")
    quit_by_keys(room)


def test_a_locale_that_is_not_installed_is_said(screen):
    room = screen(env={"LC_ALL": "xx_XX.UTF-8"})
    room.wait_for_text(r"the locale xx_XX\.UTF-8 is not installed; shown as in C\.UTF-8")
    room.wait_for_text("\u2524")
    quit_by_keys(room)


def test_glyphs_that_were_asked_for_hold_in_any_locale(screen):
    room = screen(env={"LC_ALL": "C"}, settings={"ui.glyphs": "braille"})
    room.wait_for_text("1 ready")
    room.wait_for_text("\u2524")
    quit_by_keys(room)


@pytest.mark.parametrize("term", ["dumb", None])
def test_without_a_cursor_it_is_plain(screen, term):
    room = screen(term=term)
    wait_until(lambda: "ready" in room.output(), 10, "a line about an instance")
    room.send(CTRL_C)
    assert room.wait(20) == 0
    assert b"\x1b" not in room.raw_bytes()
    assert re.search(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", room.output(), re.M)


def test_no_color_has_none(screen):
    room = screen(env={"NO_COLOR": "1"})
    room.wait_for_text("1 ready")
    room.send("?")
    room.wait_for_text("ask for one instance more")
    assert not re.search(rb"\x1b\[[0-9;]*(3[0-7]|4[0-7]|38;5)[0-9;]*m", room.raw_bytes())
    room.send(ESC)
    quit_by_keys(room)


def test_a_mouse_selects_and_scrolls(screen):
    room = screen(settings={"ui.mouse": "yes", "scaling.min_instances": "3"})
    room.wait_for_text(" 3 ready")
    row = next(number for number, line in enumerate(room.lines(), 1) if line.startswith(" i3 "))
    room.send(f"{ESC}[<0;10;{row}M{ESC}[<0;10;{row}m")
    room.wait_for_text("^\u258ci3 ")
    room.send(f"{ESC}[<64;10;{row}M")
    room.wait_for_text("^\u258ci2 ")
    quit_by_keys(room)
    assert re.findall(rb"\x1b\[\?1006;1000([hl])", room.raw_bytes())[-1] == b"l"


def test_a_storm_of_sizes(screen):
    room = screen()
    room.wait_for_text("1 ready")
    dice = random.Random(35)
    for _ in range(150):
        room.resize(dice.randint(1, 400), dice.randint(1, 120))
        room.signal(signal.SIGWINCH)
        time.sleep(0.003)
    for columns, lines in [(1, 1), (400, 120), (1, 120), (400, 1), (120, 40)]:
        room.resize(columns, lines)
        room.signal(signal.SIGWINCH)
    room.wait_for_text("LAST LOG LINE")
    quit_by_keys(room)


def test_random_keys_do_no_harm(screen):
    room = screen("--read-only")
    room.wait_for_text("1 ready")
    dice = random.Random(4711)
    keys = [chr(c) for c in range(32, 127) if chr(c) not in "q"]
    keys += ["\t", "\r", ESC, ESC + "[A", ESC + "[B", ESC + "[5~", ESC + "[6~", ESC + "OP", "\u00e9", "\x7f", ESC + "[Z"]
    for _ in range(600):
        room.send(dice.choice(keys))
        if dice.random() < 0.02:
            room.resize(dice.randint(20, 200), dice.randint(5, 60))
    room.resize(120, 40)
    wait_until(room.running, 1)
    for _ in range(3):
        room.send(ESC)
        time.sleep(0.05)
    room.send(CTRL_C)
    room.wait_for_text("still running")
    room.send(CTRL_C)
    assert room.wait(20) == 0
    assert_sane(room)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_it_in_order(screen, number):
    room = screen()
    room.wait_for_text("1 ready")
    children = descendants(room.pid)
    room.signal(number)
    room.wait(20)
    assert not [pid for pid in children if alive(pid)]
    assert_sane(room)


@pytest.mark.quick
def test_a_closed_terminal_leaves_nothing(screen):
    room = screen()
    room.wait_for_text("1 ready")
    children = descendants(room.pid)
    room.hang_up()
    room.wait(20)
    assert not [pid for pid in children if alive(pid)]


@pytest.mark.unsanitized
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_leaves_the_terminal_sane(screen, number):
    room = screen()
    room.expected_orphans = True
    room.wait_for_text("1 ready")
    room.signal(number)
    assert room.wait(10) == -number
    assert_sane(room)


@pytest.mark.quick
def test_ctrl_z_and_back(screen):
    """Under a shell with job control, as a person has it; an orphan cannot be stopped."""
    room = screen(wrap=lambda argv: ["bash", "--norc", "-c", 'set -m; "$@"; echo asleep; read -r _; fg', "sh", *argv])
    room.wait_for_text("1 ready")
    child = wait_until(lambda: descendants(room.pid)[:1])[0]
    room.send(CTRL_Z)
    wait_until(lambda: process_stat(child)[0] == "T", 5, "the stop")
    room.wait_for_text("asleep")
    assert_sane(room)
    room.send("\n")
    room.wait_for_text(r"\[AUTO\]")
    room.wait_for_text("LAST LOG LINE")
    assert room.on_alternate_screen() and room.cursor_hidden() and room.marks_pastes()
    room.send("q")
    room.wait_for_text("still running")
    room.send("s")
    room.wait(20)
    assert_sane(room)


def test_what_an_application_writes_is_shown_harmless(screen, house):
    app = Path(house.directory) / "app.py"
    app.write_text(
        "import sys, http.server\n"
        "sys.stdout.write('\\x1b]0;owned\\x07\\x1b[2J\\x1b[31mred\\x9b1m \\u202egnirts\\rback\\b\\n')\n"
        "sys.stdout.flush()\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200)\n"
        "        self.send_header('Content-Length', '0')\n"
        "        self.end_headers()\n"
        "    def log_message(self, *a): pass\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()\n")
    room = screen(settings={"app.command": f"{sys.executable} {app} {{port}}"}, env={"PYTHONIOENCODING": "utf-8"})
    room.wait_for_text(r"i1 +\d+ +\d+ +READY.*\]0;owned")
    raw = room.raw_bytes().replace(b"\x1b]104\x07", b"")  # curses' own: the colors as they were
    assert b"\x1b]0;" not in raw and "\u202e".encode() not in raw and b"\x07" not in raw
    quit_by_keys(room)


def main_thread_io(pid):
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/task/{pid}/io").read_text().splitlines())
    return int(fields["syscw"]), int(fields["wchar"])


@pytest.mark.parametrize("columns, lines, budget", [(120, 40, 2000), (80, 24, 700)])
def test_a_frame_costs_little(screen, columns, lines, budget):
    """One frame a second, five instances. The main thread writes to nothing but the terminal."""
    room = screen(columns=columns, lines=lines, settings={"scaling.min_instances": "5"})
    room.wait_for_text(" 5 ready", 20)
    frames = []
    calls, size = main_thread_io(room.pid)
    # What is read already need not have been counted yet: a write larger than the terminal's buffer is still going on.
    wait_until(lambda: main_thread_io(room.pid)[0] > calls, 5, "the next frame")
    calls, size = main_thread_io(room.pid)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        time.sleep(0.02)
        new_calls, new_size = main_thread_io(room.pid)
        if new_calls > calls:
            frames.append((new_calls - calls, new_size - size))
            calls, size = new_calls, new_size
    assert 5 <= len(frames) <= 14
    assert max(count for count, _ in frames) == 1
    assert max(written for _, written in frames) <= budget
    quit_by_keys(room)


def test_a_key_is_shown_before_the_next_frame(screen):
    """The next frame is due in a minute: a key does not wait for it."""
    room = screen(settings={"ui.frame_interval": "1m"})
    room.wait_for_text("1 ready|q Quit", 30)
    for _ in range(3):
        room.send("?")
        room.wait_for_text("ask for one instance more", 10)
        room.send(ESC)
        room.wait_for_absence("ask for one instance more")
    quit_by_keys(room)


@pytest.mark.parametrize("size", ["120x40", "1x1", "400x120", "30x8"])
def test_a_snapshot_is_printed(house, size):
    status, output = house.run([program("ascale-tui"), "--snapshot", size, "--fixture", FIXTURES / "busy.json"],
                               env={"TZ": "UTC"})
    assert status == 0
    columns, lines = map(int, size.split("x"))
    rows = output.split("\n")[:-1]
    assert len(rows) == lines and max(len(row) for row in rows) <= columns
    if size == "120x40":
        assert output == (FIXTURES / "busy-120x40-braille.txt").read_text()


def test_a_bad_fixture_is_named(house):
    bad = Path(house.directory) / "bad.json"
    bad.write_text('{"ready": "four"}')
    status, output = house.run([program("ascale-tui"), "--snapshot", "80x24", "--fixture", bad])
    assert status == 2
    assert str(bad) in output and '"ready"' in output
