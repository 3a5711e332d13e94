# SPDX-License-Identifier: MIT
"""Leaving the control room without stopping what it runs, or being killed: users notice nothing, the next start takes it
over, and the operator's orders with it."""

import signal
import threading

import pytest

from house import SLOW, alive, program, request


def enter(house):
    return house.terminal([
        program("ascale-tui"), "-s", "app.base_port=0", "-s", "balancer.listen=127.0.0.1:0",
        "-s", "scaling.min_instances=2"], cwd=house.directory)


@pytest.mark.quick
def test_left_instances_serve_on_and_are_taken_over(house):
    first = enter(house)
    port = int(first.wait_for_text(r"balancer listening on http://127\.0\.0\.1:(\d+)", 20).group(1))
    first.wait_for_text(r" 2 ready \(2\.\.5\)", 20)
    pids = {int(first.wait_for_text(rf"i{number} +\d+ +(\d+) +READY").group(1)) for number in (1, 2)}
    failures, stop = [], threading.Event()

    def use():
        while not stop.is_set():
            try:
                if request(port, timeout=10 * SLOW).status != 200:
                    failures.append("status")
            except OSError as error:
                failures.append(error)

    user = threading.Thread(target=use)
    user.start()
    try:
        first.send("q")
        first.wait_for_text("leave them serving")
        first.send("l")
        assert first.wait(20) == 0
        assert all(alive(pid) for pid in pids)
        second = enter(house)
        second.wait_for_text(r"event +an earlier controller left them serving: 2 of its instances taken over", 20)
        second.wait_for_text(r" 2 ready \(2\.\.5\)", 20)
        assert {int(second.wait_for_text(rf"i{number} +\d+ +(\d+) +READY").group(1)) for number in (1, 2)} == pids
    finally:
        stop.set()
        user.join()
    assert not failures
    assert request(port).status == 200
    second.send("q")
    second.wait_for_text("stop all in order")
    second.send("s")
    assert second.wait(30) == 0
    assert not any(alive(pid) for pid in pids)


def test_manual_mode_outlives_a_killed_control_room(house):
    first = enter(house)
    first.wait_for_text(r" 2 ready \(2\.\.5\)", 20)
    first.send("a")
    first.wait_for_text(r"Hold the count at 2\? y = yes, n = no")
    first.send("y")
    first.wait_for_text(r"\[MANUAL\]")
    first.send("+")
    first.wait_for_text(r"2 -> 3\?")
    first.send("y")
    first.wait_for_text(r" 3 ready \(2\.\.5\)", 20)
    first.signal(signal.SIGKILL)
    first.wait()
    second = enter(house)
    second.wait_for_text(r"the operator's order stands: MANUAL", 20)
    second.wait_for_text(r"\[MANUAL\].* 3 ready \(2\.\.5\)", 20)
    second.send("q")
    second.wait_for_text("stop all in order")
    second.send("s")
    assert second.wait(30) == 0
