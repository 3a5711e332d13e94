# SPDX-License-Identifier: MIT
"""Ten minutes of everything at once: the database is away for 30 s of every 120, a request kills whoever serves it now and
then, the state directory is removed, the output is blocked for a minute, the ini is moved away and back. Prints the totals;
after each fault the minimum serves within restart_delay_max and a start. ASCALE_NIGHTLY=0.1 runs a tenth of it."""

import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from headless import QUICK, ini_text
from house import SLOW, alive, program, request, wait_until

SHARE = float(os.environ.get("ASCALE_NIGHTLY", "1"))
RESTART_MAX_S, START_S, MINIMUM = 5, 5, 2


class Pipe:
    """Standard output that is read, or for a while is not."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        self.text, self.open = b"", threading.Event()
        self.open.set()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while self.open.wait() and (data := os.read(self.reader, 65536)):
            self.text += data


def ready(state):
    """By the record: a crash loop says "ready" once a minute."""
    try:
        record = json.loads((state / "state.json").read_text())
    except (OSError, ValueError):
        return []
    return [row["process"]["pid"] for row in record["instances"] if row["ready"] and alive(row["process"]["pid"])]


class Users:
    def __init__(self, port, count=4):
        self.port, self.stop = port, threading.Event()
        self.totals = {"answered": 0, "failed": 0, "crashes": 0}
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.ask) for _ in range(count)] + [threading.Thread(target=self.crash)]

    def count(self, name):
        with self.lock:
            self.totals[name] += 1

    def ask(self):
        while not self.stop.wait(0.02):
            try:
                self.count("answered" if request(self.port, timeout=30).status == 200 else "failed")
            except (OSError, http.client.HTTPException):
                self.count("failed")

    def crash(self):
        chance = random.Random(7)
        while not self.stop.wait(chance.uniform(2, 12)):
            self.count("crashes")
            try:
                request(self.port, "/crash", timeout=30)
            except (OSError, http.client.HTTPException):
                pass

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture
def control_room(house):
    rooms = []

    def start(output, *words):
        rooms.append(subprocess.Popen([program("ascale-tui"), *words], cwd=house.directory, env=house.env, stdout=output,
                                      start_new_session=True))
        return rooms[-1]

    yield start
    for room in rooms:
        if room.poll() is None:
            room.terminate()
            room.wait(60 * SLOW)


def test_ten_minutes(house, control_room):
    database, pipe = house.directory / "database", Pipe()
    app = house.directory / "needs"
    app.write_text(f'#!/bin/sh\n[ -e {database} ] || exit 7\nexec {program("ascale-app")} --quiet --work 0 --port "$1"\n')
    app.chmod(0o755)
    database.touch()
    ini, state = house.directory / "autoscaler.ini", house.directory / "state"
    ini.write_text(ini_text(QUICK | {
        "app.command": f"{app} {{port}}", "app.restart_delay_max": f"{RESTART_MAX_S}s", "balancer.queue_timeout": "20s",
        "scaling.min_instances": MINIMUM, "scaling.max_instances": 4}))
    tui = control_room(pipe.writer, "--headless", "--state-dir", str(state))
    wait_until(lambda: len(ready(state)) >= MINIMUM, 20, "the minimum")
    port = int(re.search(rb"listening on http://\S+?:(\d+)", pipe.text).group(1))
    began, faults = time.monotonic(), []

    def at(seconds):
        time.sleep(max(0, began + seconds * SHARE - time.monotonic()))

    def serves_again(fault):
        since = time.monotonic()
        wait_until(lambda: len(ready(state)) >= MINIMUM, RESTART_MAX_S + START_S, f"the minimum after {fault}")
        faults.append(f"{fault}: {time.monotonic() - since:.1f} s")

    with Users(port) as users:
        for second in range(0, 600, 120):
            at(second + 20)
            database.unlink()
            if second == 120:
                shutil.rmtree(state)
            at(second + 50)
            database.touch()
            serves_again(f"the database was away at {second + 20}")
            if second == 240:
                pipe.open.clear()
                at(second + 115)
                pipe.open.set()
                serves_again("blocked output")
            if second == 360:
                ini.rename(ini.with_suffix(".away"))
                tui.send_signal(signal.SIGHUP)
                at(second + 70)
                ini.with_suffix(".away").rename(ini)
                tui.send_signal(signal.SIGHUP)
                serves_again("the ini was away")
            at(second + 119)
    totals = users.totals
    print(f"\n{totals}, {100 * totals['failed'] / max(1, totals['answered'] + totals['failed']):.2f}% failed")
    print("\n".join(faults))
    tui.terminate()
    assert tui.wait(60 * SLOW) == 0
    assert totals["answered"] > 100 * SHARE
    assert totals["failed"] <= 4 * totals["crashes"] + totals["answered"] * 0.05
