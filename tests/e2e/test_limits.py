# SPDX-License-Identifier: MIT
"""Few open files: what is missing is named with the number needed, and a way down always works (FAULTS 52)."""

import re
import resource
from pathlib import Path

import pytest

from headless import ControlRoom
from house import program


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
