# SPDX-License-Identifier: MIT
"""An operator at the screen who forces the count up and down under load, and what the instances themselves counted."""

import json
import re
import signal
import time

from house import program, wait_until

SETTINGS = {
    "app.base_port": "0",
    "app.health_interval": "200ms",
    "balancer.listen": "127.0.0.1:0",
    "scaling.min_instances": "1",
    "scaling.max_instances": "5",
    "ui.frame_interval": "100ms",
}


class Operator:
    """The control room on a terminal, in MANUAL, and the load it serves."""

    def __init__(self, house, settings=None):
        self.house = house
        self.served = house.directory / "served"
        settings = SETTINGS | {"app.command": f"{self._app()} {{port}}"} | (settings or {})
        words = [word for key, value in settings.items() for word in ("-s", f"{key}={value}")]
        self.terminal = house.terminal([program("ascale-tui"), *words], cwd=house.directory)
        self.port = int(self.terminal.wait_for_text(r"balancer listening on http://127\.0\.0\.1:(\d+)", 20).group(1))
        self.terminal.wait_for_text(r" 1 ready \(1\.\.5\)", 20)
        self.terminal.send("a")
        self.terminal.wait_for_text(r"Hold the count at 1\? y = yes, n = no")
        self.terminal.send("y")
        self.terminal.wait_for_text(r"\[MANUAL\]")

    def step_to(self, count):
        """Key by key, each question answered, until that many are asked for; then waits until they are all there."""
        at = self.ready()
        while at != count:
            step = 1 if at < count else -1
            self.terminal.send("+" if step > 0 else "-")
            self.terminal.wait_for_text(rf"Scale {at} -> {at + step}\?")
            self.terminal.send("y")
            self.terminal.wait_for_absence(r"Scale \d+ -> ")
            at += step
        self.terminal.wait_for_text(rf" {count} ready \(1\.\.5\)", 20)
        wait_until(lambda: self.ready() == count, 20, f"{count} instances, none of them leaving")

    def ready(self):
        found = re.search(r"\] +http\S+  (\d+) ready (?!.*(starting|draining))", self.terminal.screen_text())
        return int(found.group(1)) if found else None

    def force(self, duration, period, low=1, high=5):
        """Between low and high every `period` seconds; the number of times it turned."""
        start, turns = time.monotonic(), 0
        while time.monotonic() < start + duration:
            self.step_to(high if turns % 2 == 0 else low)
            turns += 1
            rest = start + turns * period - time.monotonic()
            if rest > 0:
                time.sleep(rest)
        return turns

    def _app(self):
        """The application with its lines, one a request, in a file of its own that no rotation touches."""
        self.served.mkdir()
        script = self.house.directory / "app"
        script.write_text(f'#!/bin/sh\nexec {program("ascale-app")} --port "$1" --work 1ms >"{self.served}/$$"\n')
        script.chmod(0o755)
        return script

    def counted_by_instances(self):
        """By all there ever were."""
        return sum(len(re.findall(r"^GET / 200 ", log.read_text(), re.M)) for log in self.served.iterdir())

    def quit(self):
        self.terminal.send("q")
        self.terminal.wait_for_text("stop all in order")
        self.terminal.send("s")
        return self.terminal.wait(30)


class Load:
    """An open loop at a steady rate; rate 0: as many requests as 20 users get answered."""

    def __init__(self, house, port, rate):
        pace = ["--rate", f"{rate}/s"] if rate else ["--threads", "20"]
        self.process = house.spawn([
            program("ascale-load"), "--url", f"http://127.0.0.1:{port}/", *pace, "--infinite", "--expect-status", "200",
            "--json"])

    def stop(self):
        self.process.signal(signal.SIGTERM)
        self.process.wait(20)
        output = self.process.output()
        return json.loads(output[output.index("{"):])
