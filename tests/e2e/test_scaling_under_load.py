# SPDX-License-Identifier: MIT
"""The count is forced up and down by keys while requests come: none may fail, be cut short or be counted twice."""

import pytest

from forcing import Load, Operator


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
