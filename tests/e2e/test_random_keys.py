# SPDX-License-Identifier: MIT
"""Random keys and sizes on the real control room, started again after each quit: no crash, no hang, nothing left.

ASCALE_KEYS and ASCALE_SEED choose how many and which; a failure names both.
"""

import os
import random
import re
import time

import pytest

from house import descendants, program, wait_until

KEYS = int(os.environ.get("ASCALE_KEYS", "400"))
SEED = int(os.environ.get("ASCALE_SEED", "1"))

NAMED = ("\t", "\r", "\x1b", "\x03", "\x0c", "\x1a", "\x7f", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1bOA", "\x1bOB",
         "\x1b[5~", "\x1b[6~", "\x1bOH", "\x1bOF", "\x1b[3~", "\x1b[Z", "\x1bOP", "\x1bOQ", "\x1b[20~", "\x1b[21~")
ACTS = tuple("?q+-alts zx!Rwo/nN<>rjkgG[]:K")
ODD = (b"\xff", b"\xc3", b"\xe2\x82", "é".encode(), "日本".encode(), "\u202e".encode(), b"\x00", b"\x1b[", b"\x1b[999;999H",
       b"\x1b[<0;5;7M", b"\x1b[M !!", b"\x1b[200~pasted\x1b[201~", b"\x1b]0;title\x07", b"0123456789" * 30)
PAIRS = ("qs", "\x03\x03", "+y", "-y", "ty", "l\r", "l\r", "w\r", "wy", "R\r", "Ry", "xk", "xr", "xdy", "xay", "ay", "t15\r")
TYPED = {pair.encode() for pair in PAIRS}


def next_keys(chance):
    kind = chance.random()
    if kind < 0.45:
        return chance.choice(ACTS).encode()
    if kind < 0.75:
        return chance.choice(NAMED).encode()
    if kind < 0.88:
        return bytes([chance.randrange(32, 127)])
    if kind < 0.95:
        return chance.choice(PAIRS).encode()
    return chance.choice(ODD)


def next_size(chance):
    if chance.random() < 0.4:
        return chance.choice(((1, 1), (2, 2), (30, 8), (40, 12), (80, 24), (120, 40), (300, 100)))
    return chance.randrange(1, 200), chance.randrange(1, 60)


class Session:
    """One life of the control room, from its start to the quit that some key brings about."""

    def __init__(self, house, chance):
        self.house = house
        self.size = next_size(chance)
        self.terminal = house.terminal(
            [program("ascale-tui"), "-c", house.directory / "autoscaler.ini", "--state-dir", house.directory / "room"],
            columns=self.size[0], lines=self.size[1], cwd=house.directory)
        wait_until(lambda: self.ended() or self.terminal.on_alternate_screen(), 20, "the screen")

    def resize(self, size):
        """A window of another size must be drawn anew: so it still lives, whatever it was told before."""
        if size == self.size:
            return
        before = self.terminal.bytes_read()
        self.terminal.resize(*size)
        self.size = size
        wait_until(lambda: self.ended() or self.terminal.bytes_read() > before, 15, f"a frame at {size}")

    def press(self, keys):
        """A question takes no key that came with the one that opened it: of the pairs each comes alone, mostly."""
        if keys not in TYPED:
            self.terminal.send(keys)
            return
        for key in keys:
            self.terminal.send(bytes([key]))
            time.sleep(0.03)

    def ended(self):
        return not self.terminal.running()

    def sane(self):
        """Its last words may still be on their way through the terminal."""
        terminal = self.terminal
        return terminal.echoes() and not terminal.on_alternate_screen() and not terminal.cursor_hidden()

    def close(self):
        """Whether it went as it should; the process and all it had started are gone then."""
        status = self.terminal.wait(40)
        wait_until(self.sane, 5, "a sane terminal")
        output = self.terminal.output()
        assert not re.search(r"Sanitizer|runtime error", output), output[-6000:]
        assert status == 0, f"exit status {status}\n{output[-3000:]}"
        record = self.house.directory / "room" / "state.json"
        if not record.exists():  # 'q', 'l' leaves what runs to the next start, and a record of it
            wait_until(lambda: not self.house.left(), 10, "the end of all that it had started")
        self.house.started.remove(self.terminal)
        self.terminal.close()


def write_settings(house):
    (house.directory / "autoscaler.ini").write_text("""\
# a comment to keep
[app]
command = ascale-app --port {port} --work 1ms
base_port = 0
drain_timeout = 2s
[scaling]
max_instances = 3
polling_interval = 200ms
[balancer]
listen = 127.0.0.1:0
[load]
url = http://127.0.0.1:1/
threads = 1
rate = 5/s
[ui]
frame_interval = 200ms
""")


def play(house, chance, recent):
    """The number of lives it took; `recent` holds what the last one was sent."""
    session, lives = Session(house, chance), 1
    for _ in range(KEYS):
        if session.ended():
            session.close()
            session, lives = Session(house, chance), lives + 1
            recent.clear()
        if chance.random() < 0.1:
            time.sleep(0.3 * chance.random())  # the pace of a person: snapshots and answers come in between
        if chance.random() < 0.3:
            recent.append(next_size(chance))
            session.resize(recent[-1])
        recent.append(next_keys(chance))
        session.press(recent[-1])
        assert len(descendants(session.terminal.pid)) < 100, "too many processes"
    if session.ended():
        session.close()
        session, lives = Session(house, chance), lives + 1
    session.terminal.terminate(40)
    session.close()
    return lives


@pytest.mark.threads
def test_random_keys_and_sizes(house):
    write_settings(house)
    recent = []
    print(f"ASCALE_KEYS={KEYS} ASCALE_SEED={SEED}")
    try:
        print(f"{play(house, random.Random(SEED), recent)} lives")
    except BaseException:
        print(f"sent to the last one: {recent}")
        raise
