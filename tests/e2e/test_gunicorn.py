# SPDX-License-Identifier: MIT
"""Somebody else's web servers with nothing but a changed ini: Flask under Gunicorn, under load up and down again, and
Python's own http.server. The examples are used as they are shipped; only ports and timers are set."""

import json
import os
import re

import pytest

from headless import ControlRoom
from house import SOURCE, command_line, program, wait_until

FAST = ["-s", "app.base_port=0", "-s", "balancer.listen=127.0.0.1:0", "-s", "scaling.polling_interval=500ms",
        "-s", "scaling.cooldown_up=1s", "-s", "scaling.cooldown_down=1s", "-s", "scaling.stabilization=1s",
        "-s", "scaling.stabilization_down=2s", "-s", "app.health_interval=500ms"]


class Example(ControlRoom):
    """ascale-tui on an ini of assets/examples, started at the top of the source tree as its comment says."""

    def __init__(self, house, name, *arguments):
        self.house, self.ini, self.arguments = house, SOURCE / "assets/examples" / name, [*FAST, *arguments]
        self.state = house.directory / "state"
        self.process = house.spawn([program("ascale-tui"), "--headless", "-c", self.ini, "--state-dir", self.state,
                                    *self.arguments], cwd=SOURCE)
        self.pid = self.process.pid


@pytest.mark.unsanitized
def test_flask_under_gunicorn_goes_up_under_load_and_down_again(house):
    example = Example(house, "flask-gunicorn.ini", "-s", "scaling.max_instances=3", "-s", "scaling.scale_up_threshold=15%",
                      "-s", "scaling.scale_down_threshold=4%")
    first = example.wait_ready(1, deadline=30)[0]
    assert "gunicorn" in command_line(first)
    assert "hello from" in example.get().text
    status, output = house.run([program("ascale-load"), "--json", "--threads", 4, "--duration", 8, "--url",
                                f"http://127.0.0.1:{example.port}/"], deadline=60)
    assert status == 0, output
    summary = json.loads(output)
    assert summary["errors"] == 0
    assert summary["requests"] > 20
    wait_until(lambda: re.search(r" UP 1>2 ", example.output()), 10, "a step up")
    wait_until(lambda: example.count(r" DOWN \d>1 "), 60, "the way back to one")
    example.wait_ready(1, deadline=60)
    family = example.children("")
    assert example.stop() == 0
    assert not [pid for pid in family if os.path.exists(f"/proc/{pid}") and "gunicorn" in command_line(pid)]


@pytest.mark.quick
def test_the_directory_server_of_python(house):
    example = Example(house, "http-server.ini")
    instance = example.wait_ready(1, deadline=30)[0]
    assert "http.server" in command_line(instance)
    assert "autoscaler.ini" in example.get().text
    assert example.stop() == 0


@pytest.mark.quick
@pytest.mark.parametrize("name", sorted(path.name for path in (SOURCE / "assets/examples").glob("*.ini")))
def test_every_example_is_a_good_configuration(house, name):
    status, output = house.run([program("ascale-tui"), "--check-config", "-c", SOURCE / "assets/examples" / name])
    assert status == 0, output
