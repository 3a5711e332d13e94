# SPDX-License-Identifier: MIT
"""ascale-tui without a screen: real instances behind the real balancer, under real load, and real faults."""

import json
import os
import random
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from house import SLOW, alive, command_line, descendants, free_port, process_stat, program, request, try_request, wait_until

QUICK = {
    "app.base_port": "0",
    "app.command": "ascale-app --port {port}",
    "app.health_interval": "100ms",
    "app.drain_timeout": "10s",
    "app.stop_timeout": f"{3 * SLOW:g}s",
    "balancer.listen": "127.0.0.1:0",
    "scaling.polling_interval": "200ms",
    "scaling.stabilization": "400ms",
    "scaling.stabilization_down": "1s",
    "scaling.cooldown_up": "400ms",
    "scaling.cooldown_down": "400ms",
}


class Room:
    """A headless control room and what it says."""

    def __init__(self, house, *words, settings=None, ini=None):
        self.house = house
        argv = [program("ascale-tui"), "--headless"]
        if ini:
            argv += ["-c", ini]
        for key, value in (QUICK | (settings or {})).items():
            argv += ["-s", f"{key}={value}"]
        self.process = house.spawn([*argv, *words], cwd=house.directory)
        self.directory = house.directory / "state" / "ascale"

    def serve(self):
        """Waits for the first ready instance; the port users connect to."""
        self.port = int(self.process.wait_for(r"balancer listening on http://127\.0\.0\.1:(\d+)").group(1))
        wait_until(self.ready, 20, "a ready instance")
        return self.port

    def says(self, pattern, deadline=15.0):
        return self.process.wait_for(pattern, deadline)

    def state(self):
        try:
            return json.loads((self.directory / "state.json").read_text())
        except (OSError, ValueError):
            return {"instances": [], "balancer": {"pid": 0}}

    def ready(self):
        return {i["process"]["pid"]: i["port"] for i in self.state()["instances"] if i["ready"]}

    def wait_ready(self, count, deadline=20.0):
        def reached():
            ready = self.ready()
            return ready if len(ready) == count else None

        return wait_until(reached, deadline, f"{count} ready instances")

    def end(self, deadline=20.0):
        """Ends it in order; nothing of it may be left."""
        below = descendants(self.process.pid)
        assert self.process.terminate(deadline) == 0, self.process.output()
        assert not [f"{pid} {command_line(pid)}" for pid in below if alive(pid)]
        assert not (self.directory / "state.json").exists()


@pytest.fixture
def room(house):
    def start(*words, **more):
        return Room(house, *words, **more)

    return start


def start_load(house, port, *words):
    return house.spawn([program("ascale-load"), "--url", f"http://127.0.0.1:{port}/", "--infinite", "--json", *words])


def load_summary(load):
    load.signal(signal.SIGTERM)
    load.wait()
    return json.loads(load.output()[load.output().index("{"):])


@pytest.mark.quick
def test_serves_and_leaves_nothing_behind(room):
    house = room()
    port = house.serve()
    assert request(port).status == 200
    house.says(r"UP 0>1 raised to the minimum")
    assert not house.process.output().count("ERROR")
    house.end()
    for said in ("stopping", "exit status 0"):
        assert said in house.process.output()
        assert said in (house.directory / "ascale.log").read_text()


@pytest.mark.quick
@pytest.mark.threads
def test_climbs_under_load_and_comes_back(house, room):
    control = room(settings={"app.command": "ascale-app --port {port} --work 20ms", "scaling.max_instances": "3",
                             "scaling.scale_up_threshold": "15%", "scaling.scale_down_threshold": "4%"})
    port = control.serve()
    load = start_load(house, port, "--threads", "6")
    control.wait_ready(3, 60)
    assert re.search(r"UP 1>2 cpu .*% > 15%", control.process.output())
    summary = load_summary(load)
    control.wait_ready(1, 60)
    control.says(r"DOWN 2>1 ")
    assert summary["errors"] == 0 and summary["requests"] > 0
    control.end()


@pytest.mark.threads
def test_killed_instance_is_replaced(house, room):
    control = room(settings={"scaling.min_instances": "2"})
    port = control.serve()
    before = control.wait_ready(2)
    victim = next(iter(before))
    killed = time.monotonic()
    os.kill(victim, signal.SIGKILL)

    def replaced():
        now = control.ready()
        return len(now) == 2 and victim not in now

    wait_until(replaced, 10, "a replacement")
    assert time.monotonic() - killed < 5 * SLOW
    control.says(rf"pid {victim}\) killed by SIGKILL")
    assert request(port).status == 200
    control.end()


@pytest.mark.quick
@pytest.mark.threads
def test_killed_balancer_comes_back_on_the_same_socket(house, room):
    control = room(settings={"scaling.min_instances": "2"})
    port = control.serve()
    control.wait_ready(2)
    refused, stop = [], threading.Event()

    def knock():
        while not stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=10 * SLOW):
                    pass
            except OSError as error:
                refused.append(error)

    knocker = threading.Thread(target=knock)
    knocker.start()
    try:
        pid = control.state()["balancer"]["pid"]
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: control.state()["balancer"]["pid"] not in (0, pid), 10, "another balancer")
        assert request(port).status == 200
        assert time.monotonic() - killed < 5 * SLOW
    finally:
        stop.set()
        knocker.join()
    assert not refused
    control.says(r"ERROR the balancer ended \(killed by SIGKILL")
    control.says(r"the balancer serves again after \d\.\ds \(pid \d+\)")
    assert request(port).status == 200
    control.end()


STOP_THREAD = """
import ctypes, os, sys
libc, thread = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
assert libc.ptrace(16, thread, 0, 0) == 0, os.strerror(ctypes.get_errno())  # PTRACE_ATTACH: this one thread
os.waitpid(thread, 0x40000000)  # __WALL
print("stopped", flush=True)
os.waitpid(thread, 0x40000000)  # its end, which would else wait for us
"""


def threads_stopped(pid):
    return all(process_stat(f"{pid}/task/{thread}")[0] == "T" for thread in os.listdir(f"/proc/{pid}/task"))


@pytest.mark.threads
def test_a_balancer_that_hangs_is_replaced_on_the_same_socket(house, room):
    control = room()
    port = control.serve()
    pid = control.state()["balancer"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: threads_stopped(pid), what="the stop")
    assert request(port, timeout=30).status == 200
    control.says(r"ERROR the balancer hung \(no report for 5 s\) and was killed; starting it again")
    assert control.state()["balancer"]["pid"] != pid
    control.end()


@pytest.mark.threads
def test_a_balancer_with_a_worker_that_hangs_is_replaced(house, room):
    """One thread of it stands still, as in an endless loop; its main thread would report for ever."""
    control = room()
    port = control.serve()
    pid = control.state()["balancer"]["pid"]
    user = socket.create_connection(("127.0.0.1", port))
    worker = max(int(thread) for thread in os.listdir(f"/proc/{pid}/task"))
    stopper = house.spawn([sys.executable, "-c", STOP_THREAD, str(worker)])
    stopper.wait_for("stopped")
    try:
        assert request(port, timeout=30).status == 200
    finally:
        user.close()
    control.says(r"ERROR the balancer ended \(killed by SIGABRT")
    assert "a worker hangs" in (control.directory / "balancer.log").read_text()
    control.end()


def test_second_controller_is_refused_by_name(house, room):
    first = room()
    first.serve()
    second = room()
    assert second.process.wait() == 1
    assert f"(pid {first.process.pid})" in second.process.output()
    assert str(first.directory) in second.process.output()
    assert request(first.port).status == 200
    first.end()


def test_runs_for_the_asked_duration(room):
    control = room("--duration", "2s")
    control.serve()
    assert control.process.wait(20) == 0
    assert "duration is over" in control.process.output()


def test_dry_run_says_and_does_not(house, room):
    control = room("--dry-run", settings={"app.command": "ascale-app --port {port} --work 20ms",
                                          "scaling.scale_up_threshold": "10%", "scaling.scale_down_threshold": "2%"})
    port = control.serve()
    load = start_load(house, port, "--threads", "2")
    control.says(r"UP 1>2 .*dry run: not carried out", 30)
    assert len(control.state()["instances"]) == 1
    assert load_summary(load)["errors"] == 0
    control.end()


@pytest.mark.parametrize("words", [[], ["--read-only"]])
def test_hangup_reads_the_file_again(house, room, words):
    ini = house.directory / "some.ini"
    ini.write_text("[scaling]\nmin_instances = 1\nmax_instances = 4\n")
    control = room(*words, ini=ini)
    control.serve()
    ini.write_text("[scaling]\nmin_instances = 2\nmax_instances = 4\n[balancer]\nthreads = 2\n")
    control.process.signal(signal.SIGHUP)
    control.says(r"settings read again: scaling.min_instances = 2")
    control.says(r"next start only: balancer.threads")
    control.wait_ready(2)

    ini.write_text("[scaling]\nmin_instances = 3\nmax_instnces = 4\n")
    control.process.signal(signal.SIGHUP)
    control.says(r"ERROR .*the old ones stay: .*some\.ini:3: .*max_instnces.*max_instances")
    ini.write_text("[scaling]\nmin_instances = 3\nmax_instances = 2\n")
    control.process.signal(signal.SIGHUP)
    control.says(r"ERROR .*the old ones stay: .*min_instances \(3\)")
    assert len(control.ready()) == 2
    control.end()


@pytest.mark.parametrize("words, status, said", [
    (["-s", "scaling.max_instnces=4"], 2, r"scaling\.max_instnces is not an option.*scaling\.max_instances"),
    (["-s", "scaling.max_instances=0"], 2, r"max_instances.*1\.\.1000"),
    (["-s", "scaling.max_instances"], 2, r"section\.key=value"),
    (["-c", "/nonexistent/x.ini"], 2, r"/nonexistent/x\.ini.*No such file"),
    (["--headles"], 2, r"--headles.*--headless"),
    (["--duration", "5"], 2, r"--duration '5'.*30s"),
    (["--snapshot", "80x24"], 2, r"belong together"),
    (["--state-dir", "/proc/x"], 1, r"/proc/x"),
])
def test_usage_errors(house, words, status, said):
    code, output = house.run([program("ascale-tui"), "--headless", *words], cwd=house.directory)
    assert code == status
    assert re.search(said, output), output


def test_taken_port_is_named(house, room):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        control = room(settings={"balancer.listen": address})
        assert control.process.wait() == 1
        assert f"cannot listen on {address}: Address already in use" in control.process.output()


@pytest.mark.parametrize("command, said", [
    ("/nonexistent/server --port {port}", r"/nonexistent/server.*No such file"),
    ("/etc/passwd", r"/etc/passwd.*Permission denied"),
    ("false", r"exit status 1"),
])
def test_wrong_command_is_told_and_backs_off(room, command, said):
    control = room(settings={"app.command": command})
    control.says(said)
    started = len(re.findall(said, control.process.output()))
    assert started < 10
    control.end()


def test_no_terminal_is_said(house):
    argv = [program("ascale-tui"), "--duration", "1s"]
    for key, value in QUICK.items():
        argv += ["-s", f"{key}={value}"]
    code, output = house.run(argv, cwd=house.directory)
    assert code == 0
    assert "no terminal" in output and "running headless" in output


@pytest.mark.parametrize("term, words", [("dumb", []), ("xterm-256color", ["--plain"])])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_plain_lines_on_a_terminal(house, terminal, term, words, number):
    argv = [program("ascale-tui"), *words]
    for key, value in QUICK.items():
        argv += ["-s", f"{key}={value}"]
    room = terminal(argv, term=term, cwd=house.directory)
    wait_until(lambda: "ready in" in room.output(), 10)
    assert "\x1b" not in room.output()
    room.signal(number)
    assert room.wait() == 0
    assert "stopping" in room.output() and "exit status 0" in room.output()


def test_a_second_term_does_not_wait_for_slow_requests(house, room):
    control = room(settings={"app.drain_timeout": "60s", "balancer.drain_timeout": "60s"})
    port = control.serve()
    slow = threading.Thread(target=try_request, args=(port, "/hang"), kwargs={"timeout": 60}, daemon=True)
    slow.start()
    wait_until(lambda: "stopping" not in control.process.output(), 1)
    time.sleep(0.3)  # the request has to be on its way; nothing tells when
    control.process.signal(signal.SIGTERM)
    control.says(r"stopping: load")
    assert control.process.running()
    control.process.signal(signal.SIGTERM)
    control.says(r"stopping at once")
    control.process.wait(10)


def test_wakes_from_zero_without_waiting_for_its_step(room):
    control = room(settings={"scaling.min_instances": "0", "scaling.polling_interval": "30s"})
    control.says(r"HOLD 0 ")
    port = int(control.says(r"listening on http://127\.0\.0\.1:(\d+)").group(1))
    assert request(port, timeout=20 * SLOW).status == 200
    control.says(r"UP 0>1 ")
    control.end()


def answers(port, stop, failures):
    """Asks until told to stop; every request that is not answered by 200 is a failure."""
    count = 0
    while not stop.is_set():
        try:
            if request(port, timeout=10 * SLOW).status != 200:
                failures.append("status")
        except OSError as error:
            failures.append(error)
        count += 1
    return count


@pytest.mark.quick
@pytest.mark.threads
def test_killed_controller_is_followed_by_one_that_takes_over(house, room):
    first = room(settings={"scaling.min_instances": "2", "balancer.listen": f"127.0.0.1:{free_port()}"})
    port = first.serve()
    before = first.wait_ready(2)
    balancer = first.state()["balancer"]["pid"]
    stop, failures = threading.Event(), []
    user = threading.Thread(target=answers, args=(port, stop, failures))
    user.start()
    try:
        first.process.signal(signal.SIGKILL)
        first.process.wait()
        second = room(settings={"scaling.min_instances": "2", "balancer.listen": f"127.0.0.1:{port}"})
        second.says(r"WARNING an earlier controller ended without stopping: 2 of its instances taken over, 0 were gone")
        second.says(rf"took over the running balancer \(pid {balancer}\)")
        second.says(r"HOLD 2 ")
        assert second.wait_ready(2) == before
        assert second.state()["balancer"]["pid"] == balancer
        # What was taken over is looked after like any other.
        victim = next(iter(before))
        second.process.wait_for(r"HOLD 2 ")
    finally:
        stop.set()
        user.join()
    assert not failures
    assert "what it was started with" not in second.process.output()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(second.ready()) == 2 and victim not in second.ready(), 10, "a replacement")
    below = [balancer, *second.ready()]
    assert second.process.terminate(20) == 0, second.process.output()
    assert not [pid for pid in below if alive(pid)]


def test_settings_that_an_adopted_balancer_cannot_take_are_told(room):
    address = f"127.0.0.1:{free_port()}"
    first = room(settings={"balancer.listen": address, "balancer.user": "nobody"})
    first.serve()
    first.process.signal(signal.SIGKILL)
    first.process.wait()
    second = room(settings={"balancer.listen": address, "balancer.max_connections": "99", "balancer.via": "yes"})
    second.says(r"keeps what it was started with until .*: max_connections=20000, user=nobody$")
    second.end()


@pytest.mark.threads
def test_controllers_killed_in_the_middle_of_scaling_lose_and_double_nothing(house, room):
    ini = house.directory / "some.ini"
    address = f"127.0.0.1:{free_port()}"
    for number in range(8):
        ini.write_text(f"[scaling]\nmin_instances = {1 + number % 3}\nmax_instances = {1 + number % 3}\nmax_step = 3\n")
        control = room(ini=ini, settings={"balancer.listen": address})
        control.says(r"(UP|DOWN|HOLD) \d")
        time.sleep(0.02 * number)  # every round dies at another moment
        control.process.signal(signal.SIGKILL)
        control.process.wait()
    ini.write_text("[scaling]\nmin_instances = 2\nmax_instances = 2\n")
    last = room(ini=ini, settings={"balancer.listen": address})
    last.says(r"HOLD 2 ")
    last.wait_ready(2)

    def only_recorded_run():
        running = {pid for pid in descendants(os.getpid()) if command_line(pid).startswith("ascale-app ")}
        return running == {i["process"]["pid"] for i in last.state()["instances"]}

    wait_until(only_recorded_run, 10, "no instance but the recorded ones")
    assert last.process.terminate(20) == 0


FORKING = """#!/bin/sh
sleep 7001 &
setsid sleep 7002 &
(setsid sh -c 'sleep 7003 & exec sleep 7004' &)
exec ascale-app --work 0 --port "$1"
"""


@pytest.mark.threads
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment_nothing_is_left_after_the_next(house, room, seed):
    """While starting, scaling and stopping, with or without the balancer, of instances that leave daemons behind."""
    chance = random.Random(seed)
    ini, app = house.directory / "some.ini", house.directory / "app.sh"
    app.write_text(FORKING)
    app.chmod(0o755)
    settings = {"app.command": f"{app} {{port}}", "app.stop_timeout": "500ms",
                "balancer.listen": f"127.0.0.1:{free_port()}"}

    def scale():
        count = chance.randint(1, 4)
        ini.write_text(f"[scaling]\nmin_instances = {count}\nmax_instances = {count}\nmax_step = 3\n")

    for _ in range(5):
        scale()
        control = room(ini=ini, settings=settings)
        time.sleep(chance.choice([0.03, 0.3, 0.6]) * chance.random())  # any moment will do: it is what is tried
        if chance.random() < 0.7:
            wait_until(lambda: "balancer listening" in control.process.output() or not control.process.running())
            scale()
            control.process.signal(chance.choice([signal.SIGHUP, signal.SIGTERM]))
            time.sleep(0.3 * chance.random())
        if control.process.running():
            control.process.signal(signal.SIGKILL)
        control.process.wait()
        left = control.state()
        for process in [left["balancer"], *(instance["process"] for instance in left["instances"])]:
            if chance.random() < 0.4 and alive(process["pid"]):
                os.kill(process["pid"], signal.SIGKILL)
    last = room(ini=ini, settings=settings)
    last.serve()
    last.end()
    wait_until(lambda: not [pid for pid in house.left() if alive(pid)], 5, "an end of everything")
    assert {path.name for path in last.directory.iterdir()} <= {"lock", "log", "ascale.log", "ascale.log.1", "balancer.log"}


def test_lost_record_loses_no_instance(house, room):
    first = room(settings={"scaling.min_instances": "2", "balancer.listen": f"127.0.0.1:{free_port()}"})
    port = first.serve()
    before = first.wait_ready(2)
    balancer = first.state()["balancer"]["pid"]
    first.process.signal(signal.SIGKILL)
    first.process.wait()
    (first.directory / "state.json").write_text("{ damaged")
    second = room(settings={"scaling.min_instances": "2", "balancer.listen": f"127.0.0.1:{port}"})
    second.says(r"2 of its instances taken over")
    assert second.wait_ready(2) == before
    assert second.state()["balancer"]["pid"] == balancer
    assert request(port).status == 200
    assert second.process.terminate(20) == 0


def test_a_record_that_cannot_be_written_is_written_as_soon_as_it_can(house, room):
    control = room()
    control.serve()
    before = control.wait_ready(1)
    in_the_way = control.directory / "state.json.new"
    in_the_way.unlink(missing_ok=True)
    in_the_way.mkdir()
    os.kill(next(iter(before)), signal.SIGKILL)
    control.says(r"WARNING cannot record what runs in .*: Is a directory; trying again")
    control.says(r"i1 .*\n(.*\n)*.*i1 .*ready in")
    assert control.ready() == before
    in_the_way.rmdir()
    control.says(r"what runs is recorded again in ")
    assert control.ready() and control.ready() != before
    assert control.process.output().count("cannot record") == 1
    control.end()


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '{"version": 7, "boot": "x"}', "\xff\x00"])
def test_damaged_state_is_told_and_survived(house, room, content):
    control = room()
    control.directory.mkdir(parents=True, exist_ok=True)
    control.serve()
    control.end()
    (control.directory / "state.json").write_text(content, encoding="latin-1")
    again = room()
    again.serve()
    again.says(r"WARNING state file .*state\.json' cannot be used")
    again.end()


def test_a_stale_pid_is_not_touched(house, room):
    bystander = house.spawn(["sleep", "600"])
    control = room()
    control.serve()
    record = control.state()
    control.end()
    record["instances"][0]["process"] = {"pid": bystander.pid, "start_ticks": 1}
    record["balancer"] = {"pid": bystander.pid, "start_ticks": 1}
    (control.directory / "state.json").write_text(json.dumps(record))
    again = room()
    again.serve()
    again.says(r"0 of its instances taken over, 1 were gone")
    again.end()
    assert bystander.running()


@pytest.mark.quick
def test_settings_are_dumped_and_read_back(house):
    status, dumped = house.run([program("ascale-tui"), "--dump-config", "-s", "scaling.max_instances=7"],
                               cwd=house.directory)
    assert status == 0 and "max_instances = 7" in dumped
    path = house.directory / "dumped.ini"
    path.write_text(dumped)
    assert house.run([program("ascale-tui"), "--dump-config", "-c", path], cwd=house.directory) == (0, dumped)
    status, said = house.run([program("ascale-tui"), "--check-config", "-c", path], cwd=house.directory)
    assert status == 0 and said == f"{path}: OK\n"


def test_help_names_every_setting_and_option(house):
    _, said = house.run([program("ascale-tui"), "--help"])
    _, dumped = house.run([program("ascale-tui"), "--dump-config"], cwd=house.directory)
    section = ""
    for line in dumped.splitlines():
        section = line[1:-1] if line.startswith("[") else section
        key = re.match(r"[#; ]*([a-z_.*]+) =", line)
        if key and not line.startswith("#"):
            assert f"{section}.{key.group(1)}" in said
    manual = (Path(__file__).resolve().parents[2] / "assets" / "man" / "ascale-tui.1").read_text()
    for option in re.findall(r"--([a-z-]+)", said.split("Settings")[0]):
        assert option.replace("-", r"\-") in manual, f"--{option} is not in the man page"


def test_the_man_page_has_every_key(house):
    status, said = house.run([program("ascale-tui"), "--help-keys"])
    manual = (Path(__file__).resolve().parents[2] / "assets" / "man" / "ascale-tui.1").read_text()
    plain = re.sub(r"\\\((aq|dq)", lambda quote: {"aq": "'", "dq": '"'}[quote.group(1)], manual).replace("\\-", "-")
    keys = [line.split("\t") for line in said.splitlines()]
    assert status == 0 and len(keys) > 20
    for key, does in keys:
        assert f'.B "{key}"\n{does[0].upper()}{does[1:]}.' in plain
