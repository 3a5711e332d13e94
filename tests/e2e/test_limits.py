# SPDX-License-Identifier: MIT
"""Few open files: what is missing is named with the number needed, and a way down always works (FAULTS 52)."""

import json
import os
import re
import resource
import tempfile
from pathlib import Path

import pytest

from headless import ControlRoom
from house import program, wait_until


class Limited(ControlRoom):
    def __init__(self, house, soft, hard, settings):
        self.limits = soft, hard
        super().__init__(house, settings)

    def start(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)

        self.process = self.house.spawn([program("ascale-tui"), "--headless", "-c", self.ini, "--state-dir", self.state],
                                        preexec_fn=limit)
        self.pid = self.process.pid


def files_of(pid):
    line = re.search(r"^Max open files +(\d+) +(\d+)", Path(f"/proc/{pid}/limits").read_text(), re.M)
    return int(line.group(1)), int(line.group(2))


def test_the_soft_limit_is_raised_for_us_and_given_back_to_instances(house):
    control = Limited(house, 256, 1024, {})
    instance = control.wait_ready(1)[0]
    assert files_of(control.pid) == (1024, 1024)
    assert files_of(instance) == (256, 1024)
    assert control.stop() == 0


@pytest.mark.unsanitized
def test_sixty_four_files_are_enough_for_a_few(house):
    control = Limited(house, 64, 64, {})
    control.wait_ready(1)
    control.wait_for(r"64 open files are allowed, about \d+ are needed for 5 instances")
    assert control.get().status == 200
    assert control.stop() == 0


@pytest.mark.unsanitized
def test_at_the_limit_the_cause_is_named_and_a_reload_scales_down(house):
    control = Limited(house, 48, 48, {"scaling.min_instances": 30, "scaling.max_instances": 30})
    control.wait_for(r"cannot start: .*(open files|descriptor)", 20)
    control.scale(1)
    control.wait_ready(1, 30)
    assert control.get().status == 200
    assert control.stop() == 0


@pytest.mark.unsanitized
def test_a_reload_that_needs_more_files_says_so(house):
    control = Limited(house, 64, 64, {"scaling.max_instances": 2})
    control.wait_ready(1)
    assert control.count("open files are allowed") == 0
    control.reload(scaling__max_instances=100)
    control.wait_for(r"64 open files are allowed, about \d+ are needed for 100 instances")
    assert control.stop() == 0


@pytest.mark.unsanitized
def test_at_the_limit_what_runs_is_recorded(house):
    """A crash then leaves nothing behind."""
    control = Limited(house, 40, 40, {"scaling.min_instances": 10, "scaling.max_instances": 10})
    control.wait_for(r"cannot start: no descriptor left: 40 open files allowed, about \d+ needed for 10 instances", 20)

    def recorded():
        record = json.loads((control.state / "state.json").read_text())
        return {instance["process"]["pid"] for instance in record["instances"]}

    wait_until(lambda: control.ready() and set(control.ready()) <= recorded(), 20, "a record of all that are ready")
    assert control.count("cannot record") == 0
    assert control.stop() == 0


NOBODY_ELSE = 63791  # processes are counted by user


@pytest.fixture
def reachable():
    """A directory below one that every user may pass; pytest's own is its user's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield Path(directory)


@pytest.mark.unsanitized
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user who runs nothing else")
def test_a_limit_of_processes_is_named_and_a_way_down_works(house, reachable):
    class Few(ControlRoom):
        def write_ini(self):
            self.ini = reachable / "room.ini"  # which that user may reach
            super().write_ini()

        def start(self):
            self.state = reachable / "state"
            self.state.mkdir()
            for path in reachable, self.state:
                os.chown(path, NOBODY_ELSE, NOBODY_ELSE)
            self.write_ini()

            def limit():
                resource.setrlimit(resource.RLIMIT_NPROC, (24, 24))
                os.setgroups([])
                os.setgid(NOBODY_ELSE)
                os.setuid(NOBODY_ELSE)

            self.process = house.spawn([program("ascale-tui"), "--headless", "-c", self.ini, "--state-dir", self.state],
                                       preexec_fn=limit, env={"HOME": str(self.state)})
            self.pid = self.process.pid

    control = Few(house, {"scaling.min_instances": 30, "scaling.max_instances": 30})
    control.wait_for(r"cannot start: no process left: 24 allowed to this user, at least \d+ needed for 30 instances", 20)
    control.scale(1)
    control.wait_ready(1, 30)
    assert control.get().status == 200
    assert control.stop() == 0
