# SPDX-License-Identifier: MIT
"""The state directory or the logs are moved or removed while it runs (FAULTS 44): made again within seconds and said, no start
fails for it, and a crash afterwards loses nothing."""

import shutil
import signal

import pytest

from headless import ControlRoom, Traffic
from house import alive, wait_until


def crash_and_take_over(control, pids, deadline=20):
    """kill -9 of the controller, and the next start has the same instances."""
    control.process.signal(signal.SIGKILL)
    control.process.wait()
    control.process.expected_orphans = True
    port = control.port
    with Traffic(port) as traffic:
        traffic.wait_for_more()
        control.start()
        control.wait_for(rf"{len(pids)} of its instances taken over, 0 were gone", deadline)
        traffic.wait_for_more()
    assert traffic.failures == []
    assert all(alive(pid) for pid in pids)


@pytest.mark.parametrize("harm", [shutil.rmtree, lambda path: path.rename(path.with_suffix(".away"))],
                         ids=["removed", "moved"])
def test_the_directory_is_made_again_and_a_crash_loses_nothing(room, harm):
    control = room({"scaling.min_instances": 2})
    pids = control.wait_ready(2)
    harm(control.state)
    control.wait_for(r"ERROR the state directory \S+ was gone: made again")
    wait_until((control.state / "balancer.sock").exists, 10, "the balancer's socket")
    wait_until((control.state / "state.json").exists, 10, "the record")
    wait_until((control.state / "ascale.log").exists, 10, "the log")
    crash_and_take_over(control, pids)
    assert control.stop() == 0


def test_a_start_needs_no_log_and_no_directory(room):
    control = room()
    first = control.wait_ready(1)[0]
    shutil.rmtree(control.state / "log")
    control.wait_for(r"i1 its log was moved or removed")
    control.scale(3)
    control.wait_ready(3)
    assert control.count("cannot start") == 0
    wait_until(lambda: (control.state / "log" / "i2.log").exists(), 10, "the log of a new one")
    assert "ascale: started as pid" in (control.state / "log" / "i2.log").read_text()
    assert alive(first) and control.stop() == 0


def test_where_it_cannot_be_made_again_all_goes_on(room):
    control = room()
    pid = control.wait_ready(1)[0]
    control.state.rename(control.state.with_suffix(".away"))
    control.state.write_text("in its place\n")
    control.wait_for(r"ERROR the state directory \S+ is gone and cannot be made again: ")
    control.scale(2)
    assert pid in control.wait_ready(2)
    assert control.get().status == 200
    control.state.unlink()
    control.wait_for(r"was gone: made again")
    assert control.stop() == 0


def test_the_place_of_another_controller_is_left_alone(house):
    """Ours was moved away and another started there: nothing of it is overwritten, nor removed at our end."""
    ours = ControlRoom(house, name="room")
    pid = ours.wait_ready(1)[0]
    ours.process.signal(signal.SIGSTOP)
    ours.state.rename(ours.state.with_suffix(".away"))
    other = ControlRoom(house, {"scaling.min_instances": 2}, name="room")
    pids = other.wait_ready(2)
    ours.process.signal(signal.SIGCONT)
    ours.wait_for(rf"was moved away, and ascale-tui \(pid {other.pid}\) has its place: nothing is recorded any more")
    assert ours.stop() == 0
    assert not alive(pid) and all(alive(pid) for pid in pids)
    record = (other.state / "state.json").read_text()
    assert all(str(pid) in record for pid in pids) and (other.state / "balancer.sock").exists()
    crash_and_take_over(other, pids)
    assert other.stop() == 0


def test_each_start_is_marked_in_the_instances_log(room):
    control = room()
    pid = control.wait_ready(1)[0]
    log = control.state / "log" / "i1.log"
    assert f"ascale: started as pid {pid}: ascale-app --work 0 --port" in log.read_text().splitlines()[0]
    assert control.stop() == 0
