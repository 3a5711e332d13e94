# SPDX-License-Identifier: MIT
"""What is pasted into the control room, or sent by the terminal itself, changes nothing and ends nothing."""

import re
import time

import pytest

from house import program, wait_until

ESC = "\x1b"
EVERYDAY = (
    "apt-get install -y nginx\n", "max_keys\n", "kubectl get pods -A\n", "ls -la\n", "cd /etc && ls\n", "exit\n", "quit\n",
    "sudo systemctl restart nginx\n", "git status\n", "git commit -am 'quick fix'\n", "replicas: 3\nmax_keys: 10\n  - name: q\n",
    "- image: nginx:1.25\n  args: [\"-q\"]\n", "https://example.org/a?b=c&d=+1\n", "SELECT * FROM t WHERE x > 1;\n", "yes\n",
    "y\n", "+1\n", "a\n", "xky\n", "ql\n", "qs\n", "for i in 1 2 3; do echo $i; done\n", "{\"a\": [1, 2]}\n", "tail -f /var/log/x\n",
    "Hello,\n\nplease restart it.\n\nThanks\n", "\x03\x03", "w\ny\n")
UNASKED = ("[I", "[O", "[?64;1;2c", "[24;80R", "]11;rgb:ffff/0000/ffff\x07", "[1;5A", "q", "Oa", "[113u", "[<0;5;7M", "[M !!")


def open_room(house, term):
    settings = {"app.base_port": "0", "app.command": "ascale-app --port {port}", "balancer.listen": "127.0.0.1:0",
                "ui.frame_interval": "100ms"}
    words = [word for key, value in settings.items() for word in ("-s", f"{key}={value}")]
    room = house.terminal([program("ascale-tui"), *words], cwd=house.directory, term=term)
    room.wait_for_text(r"\[AUTO\].* 1 ready")
    return room


def turn(room):
    """Esc closes what a key has opened; then another key is heard again. Right behind an Esc it would be Alt."""
    def heard():
        room.send(ESC)
        time.sleep(0.2)
        room.send("?")
        time.sleep(0.1)
        return "this help" in room.screen_text()

    wait_until(heard, 10, "the help")
    room.send(ESC)
    room.wait_for_absence("this help")


def assert_unchanged(room):
    assert room.running()
    room.wait_for_text(r"\[AUTO\].* 1 ready \(1")
    text = room.screen_text()
    assert "STOPPING" not in text and "done:" not in text and not re.search(r"^\W*i2 ", text, re.M)


def leave(room):
    room.send("q")
    room.wait_for_text("stop all in order")
    room.send("s")
    assert room.wait(30) == 0
    assert room.raw_bytes().rfind(b"\x1b[?2004l") > room.raw_bytes().rfind(b"\x1b[?2004h")


@pytest.mark.parametrize("brackets", [True, False])
@pytest.mark.parametrize("term", ["xterm-256color", "tmux-256color", "screen-256color", "linux"])
def test_everyday_strings_change_nothing(house, term, brackets):
    room = open_room(house, term)
    if brackets:
        room.send(f"{ESC}[?2004;2$y")  # the answer to what it asks at its start
    for text in EVERYDAY:
        text = text.replace("\n", "\r")
        room.send(f"{ESC}[200~{text}{ESC}[201~" if brackets else text)
        if brackets:
            room.wait_for_text("ignored a paste: no field is open")
        turn(room)
    for sequence in UNASKED:
        room.send(ESC + sequence)
    turn(room)
    assert_unchanged(room)
    leave(room)


def test_a_megabyte_is_pasted(house):
    room = open_room(house, "xterm-256color")
    room.send(f"{ESC}[200~" + "qs y+\r\x03" * 150_000 + f"{ESC}[201~")
    room.wait_for_text("ignored a paste: no field is open", 30)
    room.send("/")
    room.send(f"{ESC}[200~i1\r{ESC}[201~")
    room.wait_for_text("1/1|filter.*i1|/i1")
    turn(room)
    assert_unchanged(room)
    leave(room)
