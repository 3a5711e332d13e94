# SPDX-License-Identifier: MIT
"""The helpers themselves: what they promise must not be able to pass unseen."""

import os
import signal

import pytest

import house as helpers
from house import House, alive, wait_until


def test_a_daemon_left_behind_is_named_and_killed(tmp_path):
    home = House(tmp_path)
    process = home.spawn(["sh", "-c", "setsid sh -c 'echo $$; exec tail -f /dev/null' & wait"])
    daemon = int(process.wait_for(r"^\d+").group())
    process.signal(signal.SIGKILL)
    problems = home.close()
    assert [line for line in problems if line.startswith(f"left behind: {daemon} ")]
    assert not alive(daemon)


@pytest.mark.quick
def test_a_program_that_ignores_term_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(helpers, "SLOW", 0.05)
    home = House(tmp_path)
    process = home.spawn(["sh", "-c", "trap '' TERM; echo armed; tail -f /dev/null"])
    wait_until(lambda: "armed" in process.output(), 200)
    assert "after SIGTERM" in " ".join(home.close())


def test_wait_for_fails_at_once_when_the_program_ended(house):
    process = house.spawn(["sh", "-c", "echo other"])
    with pytest.raises(AssertionError, match="ended with 0"):
        process.wait_for("never", deadline=100)


def test_terminal_shows_types_and_resizes(terminal):
    term = terminal(["sh", "-c", "trap 'stty size' WINCH; stty size; while :; do read line && echo got $line; done"],
                    columns=60, lines=10)
    term.wait_for_text(r"^10 60$")
    term.send("hello\r")
    term.wait_for_text(r"^got hello$")
    term.resize(70, 12)
    term.send("\r")
    term.wait_for_text(r"^12 70$")
    assert term.echoes()


def test_terminal_repeats_a_character(terminal):
    term = terminal(["printf", r"a-\033[5b|\033[?1049h\033[?25l"])
    term.wait_for_text(r"^a------\|")
    term.wait()
    assert term.on_alternate_screen() and term.cursor_hidden()


def test_terminal_moves_rows(terminal):
    down, up = r"\033[2;4r\033[2T", r"\033[1;3r\033[S"
    term = terminal(["printf", rf"1\n2\n3\n4\n5{down}{up}\033[r\033[6;1Hend"])
    term.wait_for_text(r"^end$")
    assert term.lines()[:6] == ["", "", "", "2", "5", "end"]


def test_a_signal_key_discards_no_output(terminal, tmp_path):
    written = tmp_path / "written"
    term = terminal(["sh", "-c", "read go; head -c 8000 /dev/zero | tr '\\0' f; echo > $0; exec tail -f /dev/null", written])
    with term.lock:  # the reader stops behind the echo
        term.send("\r")
        wait_until(written.exists, 10, "the output")
        term.send("\x1a")
    wait_until(lambda: term.raw_bytes().count(b"f") == 8000, 10, "all of the output")


def test_hanging_up_ends_the_session(terminal):
    term = terminal(["sh", "-c", "echo up; tail -f /dev/null"])
    term.wait_for_text("up")
    term.hang_up()
    assert term.wait() == -signal.SIGHUP


def test_environment_holds_no_state_of_the_user(house):
    status, output = house.run(["env"])
    assert status == 0
    assert f"XDG_STATE_HOME={house.directory}" in output
    assert os.environ.get("HOME", "/nowhere") + "\n" not in output
