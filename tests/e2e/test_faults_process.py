# SPDX-License-Identifier: MIT
"""Faults of instances, injected for real into `ascale-tui --headless`; the numbers are the rows of the fault table, those
of the controller itself are in test_tui_headless.py. "Serve" is Traffic through the balancer that must see nothing."""

import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from balancing import Control
from headless import Traffic
from house import SLOW, alive, command_line, descendants, free_port, process_stat, program, try_request, wait_until

pytestmark = pytest.mark.threads
# The one that lists the directory is gone by the time it is looked at.
SAY_DESCRIPTORS = """import os; print(*[fd for fd in sorted(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd/" + fd)])"""


def script(path, body):
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)
    return path


@pytest.mark.quick
def test_1_a_killed_instance_is_replaced_while_the_other_serves(room):
    control = room({"scaling.min_instances": 2, "scaling.max_instances": 2})
    victim, _ = control.wait_ready(2)
    with Traffic(control.port) as traffic:
        traffic.wait_for_more()
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        control.wait_ready(2, deadline=5)
        assert time.monotonic() - killed < 5 * SLOW
        traffic.wait_for_more()
    # Only what it was working on is lost: at most one request a user, and never one of the other instance.
    assert all(failure.startswith("502 ") for failure in traffic.failures)
    assert len(traffic.failures) <= traffic.users
    assert re.search(rf"\(pid {victim}\) .*SIGKILL", control.output())


def test_2_a_stopped_instance_is_ejected_killed_and_replaced(room):
    """With the times of the defaults: a check is due within 2 s, and given up after 2 s more."""
    control = room({"scaling.min_instances": 2, "scaling.max_instances": 2, "app.health_interval": "2s",
                    "app.health_timeout": "2s", "app.stop_timeout": "5s"})
    victim, other = control.wait_ready(2)
    os.kill(victim, signal.SIGSTOP)
    wait_until(lambda: not alive(victim), 5, "the end of the stopped instance")
    with Traffic(control.port) as traffic:
        control.wait_for(rf"\(pid {victim}\) is stopped by a signal and does not answer .*; killing it")
        assert other in control.wait_ready(2)
        traffic.wait_for_more()
    assert traffic.failures == []


def test_3_an_instance_that_ends_at_once_backs_off_fails_and_recovers_by_reload(room):
    control = room({"app.command": "false"})
    control.wait_for(r"next try in ")
    control.wait_for(r"6 failures in a row, next try in ", deadline=90)
    tries = control.count(r"\bexit status 1\b")
    assert 2 <= tries <= 10
    control.reload(app__command="ascale-app --port {port}")
    control.wait_ready(1)


def test_4_a_missing_directory_is_named_with_its_cause(room):
    told = r"'/nonexistent/place'.*No such file"
    control = room({"app.directory": "/nonexistent/place"})
    control.wait_for(told)
    control.wait_for(r"next try in ")
    assert control.stop() == 0
    assert control.count(told) <= 3


def test_5_an_instance_that_never_becomes_ready_gets_no_request(room):
    control = room({"app.command": "ascale-app --slow-start 1h --port {port}", "app.start_timeout": "1s",
                    "balancer.hold_when_empty": "no"})
    control.wait_for(r"not ready within \S+.*killing it")
    answer = control.get()
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert control.count(r" ready in ") == 0


def test_16_requests_that_wait_for_an_instance_do_not_hold_up_the_end(room):
    control = room({"app.command": "tail -f /dev/null", "balancer.queue_timeout": "1h", "balancer.drain_timeout": "1h"})
    statuses = []
    waiting = threading.Thread(target=lambda: statuses.append(control.get(timeout=60).status))
    waiting.start()
    control.wait_for(r"balancer listening")
    balancer = Control(str(control.state / "balancer.sock"))
    wait_until(lambda: balancer.stats()["total"]["queue"] == 1, what="the request to wait")
    balancer.close()
    assert control.stop() == 0
    waiting.join()
    assert statuses == [503]


def test_6_an_instance_that_answers_500_is_ejected_and_comes_back(room):
    control = room({"app.stop_timeout": "30s"})
    control.wait_ready(1)
    assert control.get("/fail?on=1").status in (200, 204)
    control.wait_for(r"fails its health checks")
    control.wait_for(r"HOLD 1 +1 failing health checks")
    instance = control.ready()[0]
    port = re.search(r"--port (\d+)", command_line(instance)).group(1)
    assert try_request(int(port), "/fail?on=0")
    control.wait_for(r"healthy again")
    assert control.get().status == 200
    assert control.ready() == [instance]


def test_7_a_port_somebody_listens_on_is_skipped(room, spawn):
    taken = free_port()
    foreign = spawn([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(taken)])
    wait_until(lambda: try_request(taken), what="the foreign server")
    control = room({"app.base_port": taken})
    instance = control.wait_ready(1)[0]
    assert int(re.search(r"--port (\d+)", command_line(instance)).group(1)) != taken
    assert "ascale-app pid" in control.get().text
    assert foreign.running()


@pytest.mark.quick
def test_8_an_instance_that_ignores_term_is_killed_with_all_of_its_processes(room, tmp_path):
    stubborn = script(tmp_path / "stubborn", "trap '' TERM\ntail -f /dev/null &\n"
                      f"{program('ascale-app')} --ignore-term --port $1\nwait\n")
    control = room({"app.command": f"{stubborn} {{port}}", "app.stop_timeout": "500ms"})
    control.wait_ready(1)
    family = [pid for pid in control.children("") if pid != control.pid]
    asked = time.monotonic()
    assert control.stop() == 0
    assert time.monotonic() - asked < 10 * SLOW
    assert "killing all of its processes" in control.output()
    assert not [command_line(pid) for pid in family if alive(pid)]


def test_9_scale_in_lets_slow_requests_finish(room):
    control = room({"app.command": "ascale-app --threads 16 --port {port}", "scaling.min_instances": 3,
                    "scaling.max_instances": 3})
    control.wait_ready(3)
    with Traffic(control.port, users=12, path="/slow?ms=1500") as traffic:
        wait_until(lambda: traffic.answered >= 12, 20, "the first round")
        control.scale(1)
        control.wait_ready(1, deadline=30)
        traffic.wait_for_more(12, deadline=30)
    assert traffic.failures == []
    assert control.count(r"drained in") == 2


def test_10_nothing_of_a_daemon_is_left(room, tmp_path):
    daemonizing = script(tmp_path / "daemonizing", f"setsid sh -c 'setsid tail -f /dev/null & echo $! >{tmp_path}/pid' &\n"
                         f"exec {program('ascale-app')} --port $1\n")
    control = room({"app.command": f"{daemonizing} {{port}}"})
    control.wait_ready(1)
    daemon = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    assert alive(daemon)
    assert control.stop() == 0
    assert not alive(daemon)


def controls(name):
    """Whether this machine lets us make control groups with that controller."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    places = [place for _, place, kind, options, *_ in mounts if kind == "cgroup" and name in options.split(",")]
    for place in (Path(place) for _, place, kind, *_ in mounts if kind == "cgroup2"):
        own = next(line[4:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::/"))
        places += [above for above in (place / own, *(place / own).parents)
                   if (above / "cgroup.subtree_control").is_file()
                   and name in (above / "cgroup.subtree_control").read_text().split()]
    return os.geteuid() == 0 and any(os.access(place, os.W_OK) for place in places)


@pytest.mark.unsanitized
@pytest.mark.skipif(not controls("memory"), reason="this kernel gives no control group with a memory limit")
def test_11_a_memory_hog_is_contained_and_named(room, tmp_path):
    hog = tmp_path / "hog.py"
    hog.write_text("data = [bytearray(1 << 20) for _ in range(1000)]\n")
    control = room({"app.command": f"/usr/bin/python3 {hog}", "app.memory_limit": "64M"})
    control.wait_for(r"over its memory_limit of 64M")
    control.wait_for(r"next try in ")


@pytest.mark.skipif(not controls("pids"), reason="this kernel gives no control group with a process limit")
def test_11_a_fork_bomb_is_contained_and_named(room, tmp_path):
    bomb = script(tmp_path / "bomb", "trap : TERM\nwhile :; do sleep 300 & done\n")
    control = room({"app.command": str(bomb), "app.max_processes": 20, "app.stop_timeout": "300ms"})
    control.wait_for(r"has reached its max_processes of 20")
    assert len(descendants(control.pid)) < 40
    assert control.stop() == 0


def test_12_many_instances_die_at_once(room):
    count = 30
    control = room({"app.command": "ascale-app --threads 1 --port {port}", "scaling.min_instances": count,
                    "scaling.max_instances": count, "scaling.max_step": count, "app.health_interval": "1s"})
    before = set(control.wait_ready(count, deadline=60))
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not control.zombies(), 2, "the zombies to be reaped")
    wait_until(lambda: len(set(control.ready()) - before) == count, 60, "all of them anew")


def test_21_a_flood_of_logs_is_capped_and_blocks_nobody(room):
    control = room({"app.command": "ascale-app --chatty 50 --port {port}", "log.max_size": "1M",
                    "scaling.max_instances": 1})
    control.wait_ready(1)

    def logged():
        return sum(path.stat().st_size for path in control.state.rglob("*") if path.is_file())

    with Traffic(control.port) as traffic:
        largest, end = 0, time.monotonic() + 4
        while time.monotonic() < end:
            largest = max(largest, logged())
            traffic.wait_for_more(5)
    assert traffic.failures == []
    assert 0 < largest < 100 << 20
    assert logged() < 40 << 20


def test_34_a_child_sees_no_descriptor_mask_or_secret_of_ours(room, house, tmp_path):
    looking = script(tmp_path / "looking", f"grep Sig /proc/self/status >{tmp_path}/signals\nenv >{tmp_path}/env\n"
                     f"/usr/bin/python3 -c '{SAY_DESCRIPTORS}' >{tmp_path}/fds\n"
                     f"exec {program('ascale-app')} --port $1\n")
    house.env["ASCALE_SECRET_TOKEN"] = "never to be seen"
    control = room({"app.command": f"{looking} {{port}}", "app.env.GREETING": "hello"})
    control.wait_ready(1)
    assert (tmp_path / "fds").read_text().split() == ["0", "1", "2"]
    signals = dict(line.split(":\t") for line in (tmp_path / "signals").read_text().splitlines())
    assert int(signals["SigBlk"], 16) == int(signals["SigIgn"], 16) == 0
    environment = (tmp_path / "env").read_text()
    assert "GREETING=hello\n" in environment
    assert "never to be seen" not in environment


def test_17_a_controller_that_slept_takes_no_decision_on_the_gap(room):
    control = room({"scaling.min_instances": 1, "scaling.max_instances": 4})
    instance = control.wait_ready(1)
    control.wait_for(r"HOLD")
    control.process.signal(signal.SIGSTOP)
    wait_until(lambda: process_stat(control.pid)[0] == "T", what="the stop")
    with Traffic(control.port) as traffic:
        traffic.wait_for_more(100)
        control.process.signal(signal.SIGCONT)
        control.reload(log__level="debug")
        control.wait_for(r"settings read again|reload|log.level")
        traffic.wait_for_more(20)
    assert traffic.failures == []
    assert control.ready() == instance
    assert "WARNING" not in control.output()


def test_16_a_closed_terminal_stops_everything_in_order(house, terminal, room):
    control = room(start=False)
    screen = terminal([program("ascale-tui"), "-c", control.ini, "--state-dir", control.state])
    screen.wait_for_text(r"1 ready")
    family = descendants(screen.pid)
    assert len(family) >= 2
    screen.hang_up()
    assert screen.wait(20) == 0
    assert not [command_line(pid) for pid in family if alive(pid)]
    log = (Path(control.state) / "ascale.log").read_text()
    assert "drained in" in log and "at once" not in log, log
