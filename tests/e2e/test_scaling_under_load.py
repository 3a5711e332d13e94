# SPDX-License-Identifier: MIT
"""The count is forced up and down by keys while requests come: none may fail, be cut short or be counted twice."""

import re

import pytest

from forcing import Load, Operator
from house import wait_until


def ready_pids(terminal):
    return set(re.findall(r"^.i\d+ +\d+ +(\d+) +READY", terminal.screen_text(), re.M))


@pytest.mark.threads
def test_forced_scaling_loses_nothing(house):
    operator = Operator(house)
    load = Load(house, operator.port, 200)
    turns = operator.force(15, 3)
    summary = load.stop()
    assert turns >= 4, "too slow to have tried anything"
    assert summary["errors"] == 0 and summary["unfinished"] == 0, summary
    assert summary["codes"] == {"200": summary["requests"]}
    assert operator.counted_by_instances() == summary["requests"] > 1000
    assert operator.quit() == 0


@pytest.mark.threads
def test_a_roll_loses_nothing_and_keeps_the_capacity(house):
    operator = Operator(house)
    operator.step_to(3)
    terminal = operator.terminal
    load = Load(house, operator.port, 200)
    terminal.wait_for_text(r"Requests/min +[1-9]")
    before = ready_pids(terminal)
    assert len(before) == 3
    terminal.send("x")
    terminal.wait_for_text("Act on an instance")
    terminal.send("a")
    terminal.wait_for_text(r"Really roll all\? y = yes, n = no")
    terminal.send("y")

    def rolled():
        text = terminal.screen_text()
        assert int(re.search(r"(\d+) ready .*\(1\.\.5\)", text).group(1)) >= 3, text
        return "the roll is done" in text

    wait_until(rolled, 60, "the end of the roll")
    wait_until(lambda: operator.ready() == 3, 20, "three instances, none of them leaving")
    assert len(ready_pids(terminal)) == 3 and not ready_pids(terminal) & before
    summary = load.stop()
    assert summary["errors"] == 0 and summary["unfinished"] == 0, summary
    assert operator.counted_by_instances() == summary["requests"] > 0
    assert operator.quit() == 0
