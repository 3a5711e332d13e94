# SPDX-License-Identifier: MIT
"""ascale-balance under a controller: the control socket, the inherited listener, drain, adoption, restart."""

import os
import re
import signal
import socket
import stat
import threading
import time
from pathlib import Path

import pytest

from balancing import EVIL, OK, Backend, Control, Refuser, Silent, Supervised, read_answer
from house import SLOW, alive, request, wait_until


def wait_for_stats(control, condition):
    return wait_until(lambda: (lambda stats: stats if condition(stats) else None)(control.stats()), what="the stats")


@pytest.mark.quick
def test_backends_come_and_go_by_command(supervised):
    control = Control(supervised.path)
    hello = control.command("hello", version=1)
    assert hello["ok"] and hello["pid"] == supervised.process.pid and hello["version"] == 1
    a, b = Backend(), Backend()
    control.backends(("i1", a))
    assert request(supervised.port).status == 200
    control.backends(("i2", b))
    assert control.event("drained")["backend"] == "i1"
    for _ in range(5):
        assert request(supervised.port).status == 200
    assert (len(a.requests), len(b.requests)) == (1, 5)
    stats = control.stats()
    assert [item["id"] for item in stats["backends"]] == ["i2"]
    assert stats["total"]["requests"] == 6 and stats["total"]["responses"]["2xx"] == 6
    assert sum(count for _, count in stats["total"]["latency"]) == 6


def test_the_socket_is_for_its_owner_only(supervised):
    assert stat.S_IMODE(os.stat(supervised.path).st_mode) == 0o600


@pytest.mark.quick
def test_draining_waits_for_what_is_under_way(supervised):
    control = Control(supervised.path)
    gate = threading.Event()

    def hold(seen):
        gate.wait(20 * SLOW)
        return OK

    slow, other = Backend(hold), Backend()
    control.backends(("slow", slow))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(request(supervised.port, timeout=30).status))
    thread.start()
    wait_until(lambda: slow.requests)
    control.backends(("slow", slow), ("other", other), drain=["slow"])
    assert request(supervised.port).status == 200 and len(other.requests) == 1
    wait_until(lambda: {item["id"]: (item["state"], item["in_flight"]) for item in control.stats()["backends"]} == {
        "slow": ("drain", 1), "other": ("ready", 0)}, what="one request under way, at the draining backend")
    assert not [event for event in control.events if event["event"] == "drained"]
    gate.set()
    control.event("drained", backend="slow")
    thread.join()
    assert answers == [200]


def test_one_that_comes_back_with_requests_under_way_is_the_same(supervised):
    """It was out for a while; neither is it counted twice nor has it drained while the new ones last."""
    control = Control(supervised.path)
    gates = {b"/1": threading.Event(), b"/2": threading.Event()}
    backend = Backend(lambda seen: gates[seen.line.split()[1]].wait(20 * SLOW) and OK)
    answers = []

    def ask(path):
        thread = threading.Thread(target=lambda: answers.append(request(supervised.port, path, timeout=30).status))
        thread.start()
        wait_until(lambda: any(path.encode() in seen.line for seen in backend.requests))
        return thread

    control.backends(("i1", backend))
    threads = [ask("/1")]
    control.backends()
    control.backends(("i1", backend))
    threads.append(ask("/2"))
    assert [(row["id"], row["state"], row["in_flight"], row["requests"]) for row in control.stats()["backends"]] == [
        ("i1", "ready", 2, 2)]
    control.backends(("i1", backend), drain=["i1"])
    gates[b"/1"].set()
    threads[0].join()
    wait_for_stats(control, lambda stats: stats["backends"][0]["in_flight"] == 1)
    assert not [event for event in control.events if event["event"] == "drained"]
    gates[b"/2"].set()
    control.event("drained", backend="i1")
    threads[1].join()
    assert answers == [200, 200]
    control.backends()
    wait_for_stats(control, lambda stats: not stats["backends"] and stats["total"]["requests"] == 2)


def test_an_id_means_its_last_address(supervised):
    """One row an id: what the old address finishes neither adds to the new one's counters nor says it has drained."""
    control = Control(supervised.path)
    gates = [threading.Event(), threading.Event()]
    old, new = (Backend(lambda seen, gate=gate: OK if gate.wait(20 * SLOW) else None) for gate in gates)
    answers = []

    def ask(backend):
        thread = threading.Thread(target=lambda: answers.append(request(supervised.port, timeout=30).status))
        thread.start()
        wait_until(lambda: backend.requests)
        return thread

    def rows():
        stats = control.stats()
        return stats["total"]["in_flight"], [(row["id"], row["address"], row["state"], row["in_flight"], row["requests"])
                                             for row in stats["backends"]]

    control.backends(("i1", old))
    threads = [ask(old)]
    control.backends(("i1", new))
    assert rows() == (1, [("i1", new.address, "ready", 0, 0)])
    threads.append(ask(new))
    wait_until(lambda: rows() == (2, [("i1", new.address, "ready", 1, 1)]), what="the count of the new one's request")
    control.backends(("i1", new), drain=["i1"])
    gates[0].set()
    threads[0].join()
    wait_until(lambda: rows() == (1, [("i1", new.address, "drain", 1, 1)]), what="the old one's end")
    assert not [event for event in control.events if event["event"] == "drained"]
    gates[1].set()
    control.event("drained", backend="i1")
    threads[1].join()
    assert answers == [200, 200] and control.stats()["total"]["requests"] == 2


def test_what_no_instance_accepts_is_counted(supervised):
    """No row has it among its requests or errors, but a user has seen it fail."""
    control, dead = Control(supervised.path), Refuser()
    assert control.command("set", key="hold_when_empty", value="no")["ok"]
    control.backends(("dead", dead))
    for _ in range(3):
        assert request(supervised.port).status == 502
    control.backends()
    assert request(supervised.port).status == 503
    total = control.stats()["total"]
    assert (total["unavailable"], total["requests"], total["errors"], total["rejected"]) == (4, 0, 0, 0)


def test_one_that_was_refused_and_waited_counts_as_sent_again(supervised):
    control, dead, backend, statuses = Control(supervised.path), Refuser(), Backend(), []
    for key, value in ("hold_when_empty", "yes"), ("queue_timeout", "1h"):
        assert control.command("set", key=key, value=value)["ok"]
    control.backends(("dead", dead))
    thread = threading.Thread(target=lambda: statuses.append(request(supervised.port).status))
    thread.start()
    wait_for_stats(control, lambda stats: stats["total"]["queue"] and stats["total"]["connect_failures"])
    control.backends(("live", backend))
    thread.join()
    row = wait_for_stats(control, lambda stats: stats["total"]["responses"]["2xx"])["backends"][0]
    assert statuses == [200]
    assert (row["id"], row["requests"], row["queued"], row["retries"]) == ("live", 1, 1, 1)
    assert request(supervised.port).status == 200
    assert control.stats()["total"]["retries"] == 1


@pytest.mark.parametrize("drain", [(), ("i1",)], ids=["removed", "drained"])
def test_one_that_is_taken_out_loses_its_kept_connections(supervised, drain):
    control, backend = Control(supervised.path), Backend()
    control.backends(("i1", backend))
    assert request(supervised.port).status == 200
    assert backend.peers[0].connection.fileno() >= 0
    control.backends(*[("i1", backend)] if drain else [], drain=drain)
    wait_until(lambda: backend.peers[0].connection.fileno() < 0, 2 * SLOW, "the end of the kept connection")


def test_nobody_waits_for_instances_that_are_gone(supervised):
    """Unless requests are held while there is none."""
    control, gate, statuses = Control(supervised.path), threading.Event(), []
    for key, value in ("max_in_flight", "1"), ("queue_timeout", "1h"), ("hold_when_empty", "no"):
        assert control.command("set", key=key, value=value)["ok"]
    control.backends(("i1", Backend(lambda seen: OK if gate.wait(20 * SLOW) else None)))
    threads = [threading.Thread(target=lambda: statuses.append(request(supervised.port).status)) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_for_stats(control, lambda stats: (stats["total"]["in_flight"], stats["total"]["queue"]) == (1, 2))
    control.backends()
    wait_until(lambda: statuses == [503, 503], what="those that waited to be answered")
    gate.set()
    for thread in threads:
        thread.join()
    assert statuses == [503, 503, 200]


def test_who_waits_for_one_instance_is_counted_there(supervised):
    """Through every change, and not where the cookie leads to one that gets no more requests."""
    control, gate, statuses = Control(supervised.path), threading.Event(), []
    for key, value in ("algorithm", "sticky"), ("max_in_flight", "1"), ("queue_timeout", "1h"):
        assert control.command("set", key=key, value=value)["ok"]
    one, two = (Backend(lambda seen: OK if b"/fast" in seen.line or gate.wait(20 * SLOW) else None) for _ in range(2))

    def cookie(name, backend):
        control.backends((name, backend))
        return {"Cookie": request(supervised.port, "/fast").headers["Set-Cookie"].partition(";")[0]}

    def ask(bound):
        threading.Thread(target=lambda: statuses.append(request(supervised.port, headers=bound).status)).start()

    def waiting(*expected):
        def counts(stats):
            return (stats["total"]["queue"], *(item["queue"] for item in stats["backends"]))
        wait_for_stats(control, lambda stats: counts(stats) == expected)

    of_one, of_two = cookie("i1", one), cookie("i2", two)
    control.backends(("i1", one), ("i2", two))
    ask(of_one)
    ask(of_two)
    wait_for_stats(control, lambda stats: stats["total"]["in_flight"] == 2)
    ask(of_one)
    waiting(1, 1, 0)
    assert control.command("set", key="retry_after", value="9s")["ok"]
    waiting(1, 1, 0)
    control.backends(("i1", one), ("i2", two), drain=["i1"])
    waiting(1, 0, 0)
    ask(of_one)
    waiting(2, 0, 0)
    gate.set()
    wait_until(lambda: statuses == [200] * 4)
    waiting(0, 0, 0)


def test_an_idle_backend_has_drained_at_once(supervised):
    control = Control(supervised.path)
    backend = Backend()
    control.backends(("i1", backend))
    assert request(supervised.port).status == 200
    control.backends(("i1", backend), drain=["i1"])
    control.event("drained", backend="i1")


@pytest.mark.parametrize("line,error", [
    (b"rubbish", "not JSON"),
    (b"{}", "cmd"),
    (b'{"id":1,"cmd":"dance"}', "unknown command"),
    (b'{"id":1,"cmd":"hello","version":2}', "version 2"),
    (b'{"id":1,"cmd":"backends","backends":[{"id":"a"}]}', "number 1"),
    (b'{"id":1,"cmd":"backends","backends":[{"id":"a","address":"x","state":"ready"}]}', "address"),
    (b'{"id":1,"cmd":"backends","backends":[{"id":"\\"","address":"127.0.0.1:1","state":"ready"}]}', "id"),
    (b'{"id":1,"cmd":"set","key":"algorithm","value":"best"}', "algorithm"),
    (b'{"id":1,"cmd":"set","key":"threads","value":"2"}', "next start"),
    (b'{"id":1,"cmd":"set","key":"nothing","value":"2"}', "nothing"),
    (b'{"id":1,"cmd":"set","key":"trusted_proxies","value":"x"}', "trusted_proxies"),
    (b'{"id":1,"cmd":"subscribe","interval_ms":1}', "interval_ms"),
])
def test_bad_commands_are_answered_and_change_nothing(supervised, line, error):
    control = Control(supervised.path)
    backend = Backend()
    control.backends(("i1", backend))
    control.connection.sendall(line + b"\n")
    reply = control.message()
    assert reply["ok"] is False and error in reply["error"]
    assert request(supervised.port).status == 200


def test_live_options_are_live(supervised):
    control = Control(supervised.path)
    assert control.command("set", key="hold_when_empty", value="no")["ok"]
    assert request(supervised.port).status == 503
    assert control.command("set", key="retry_after", value="9s")["ok"]
    assert request(supervised.port).headers["Retry-After"] == "9"
    assert control.stats()["total"]["unavailable"] == 2


def test_waking_from_zero_holds_requests(supervised):
    control = Control(supervised.path)
    assert control.command("set", key="queue_timeout", value="1m")["ok"]
    backend = Backend()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(request(supervised.port, timeout=60).status)) for _ in range(5)]
    for thread in threads:
        thread.start()
    burst = control.event("burst")
    assert burst["queue"] >= 1
    wait_for_stats(control, lambda stats: stats["total"]["queue"] == 5)
    control.backends(("i1", backend))
    for thread in threads:
        thread.join()
    assert answers == [200] * 5
    stats = control.stats()
    assert stats["total"]["queued"] == 5 and stats["total"]["wait_sum_us"] > 0 and stats["total"]["queue"] == 0


def test_who_waits_is_not_pushed_out_by_who_comes(supervised):
    """Its place is its own while it tries an instance that does not answer, however full the queue is meanwhile."""
    control, silent, backend, statuses, later = Control(supervised.path), Silent(), Backend(), [], []
    for key, value in (("hold_when_empty", "yes"), ("queue_timeout", "1h"), ("queue_limit", "1"),
                       ("connect_timeout", "100ms")):
        assert control.command("set", key=key, value=value)["ok"]

    def ask(answers):
        thread = threading.Thread(target=lambda: answers.append(request(supervised.port, timeout=60).status))
        thread.start()
        return thread

    control.backends(("i1", silent))
    threads = [ask(statuses)]
    wait_for_stats(control, lambda stats: stats["total"]["queue"] == 1)
    while control.stats()["total"]["connect_failures"] < 30:
        threads.append(ask(later))
        wait_until(lambda: len(later) + 4 > len(threads), what="an answer to one who came later")
    assert statuses == [] and 503 in later
    control.backends(("i2", backend))
    for thread in threads:
        thread.join()
    assert statuses == [200]


def test_a_burst_is_told_at_once(supervised):
    control = Control(supervised.path)
    gate = threading.Event()

    def hold(seen):
        gate.wait(20 * SLOW)
        return OK

    control.backends(("i1", Backend(hold)))
    connections = [socket.create_connection(("127.0.0.1", supervised.port)) for _ in range(40)]
    for connection in connections:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert control.event("burst")["in_flight"] >= 16
    gate.set()
    for connection in connections:
        assert read_answer(connection.makefile("rb"))[0] == 200
        connection.close()


def test_the_mean_in_flight_counts_what_is_under_way(supervised):
    control, gate = Control(supervised.path), threading.Event()
    backend = Backend(lambda seen: gate.wait(20 * SLOW) and OK)
    control.backends(("i1", backend))
    connections = [socket.create_connection(("127.0.0.1", supervised.port)) for _ in range(3)]
    for connection in connections:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: len(backend.requests) == 3)
    first = control.stats()
    time.sleep(0.3)
    second = control.stats()
    for of in (lambda stats: stats["total"], lambda stats: stats["backends"][0]):
        grown = of(second)["in_flight_sum_us"] - of(first)["in_flight_sum_us"]
        assert grown / (second["at_us"] - first["at_us"]) == pytest.approx(3, rel=0.01)
    gate.set()
    for connection in connections:
        assert read_answer(connection.makefile("rb"))[0] == 200
        connection.close()
    done = wait_for_stats(control, lambda stats: stats["total"]["in_flight"] == 0)
    assert control.stats()["total"]["in_flight_sum_us"] == done["total"]["in_flight_sum_us"]
    control.backends()
    control.event("drained", backend="i1")
    assert control.stats()["total"]["in_flight_sum_us"] >= second["total"]["in_flight_sum_us"]


def test_stats_come_by_subscription(supervised):
    control = Control(supervised.path)
    assert control.command("subscribe", interval_ms=100)["ok"]
    first, second = control.event("stats"), control.event("stats")
    assert second["at_us"] > first["at_us"] and second["version"] == 1
    assert control.command("subscribe", interval_ms=0)["ok"]


def test_ejections_are_told(supervised):
    control = Control(supervised.path)
    dead, backend = Refuser(), Backend()
    control.backends(("dead", dead), ("live", backend))
    for _ in range(4):
        assert request(supervised.port).status == 200
    assert "refuses" in control.event("ejected", backend="dead")["cause"]
    control.event("admitted", backend="dead")


def test_one_that_drains_is_not_told_to_get_requests_again(supervised):
    control, gate = Control(supervised.path), threading.Event()
    failing = b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n"
    one, two = (Backend(lambda seen: OK if b"/slow" in seen.line and gate.wait(20 * SLOW) else failing) for _ in range(2))
    for key, value in ("eject_failures", "2"), ("eject_time", "1s"):
        assert control.command("set", key=key, value=value)["ok"]

    def fail(name):
        assert [request(supervised.port).status for _ in range(2)] == [500, 500]
        control.event("ejected", backend=name)

    control.backends(("i1", one))
    thread = threading.Thread(target=request, args=(supervised.port, "/slow"))
    thread.start()
    wait_until(lambda: one.requests)
    fail("i1")
    control.backends(("i1", one), ("i2", two), drain=["i1"])
    control.events.clear()
    fail("i2")
    control.event("admitted", backend="i2")
    assert not [event for event in control.events if event["event"] == "admitted"]
    gate.set()
    thread.join()


def test_one_that_goes_on_failing_is_out_for_longer_each_time(supervised):
    control, over = Control(supervised.path), threading.Event()
    assert control.command("set", key="eject_time", value="200ms")["ok"]
    assert control.command("set", key="eject_failures", value="1")["ok"]
    control.backends(("bad", Backend(lambda seen: b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")), ("good", Backend()))

    def visit():
        while not over.is_set():
            request(supervised.port)

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        for _ in range(3):
            control.event("ejected", backend="bad")
            control.event("admitted", backend="bad")
    finally:
        over.set()
        visitor.join()
    # By the balancer's own clock: when a busy machine lets us see it, is another matter.
    line = r" (\d+):(\d+):(\d+\.\d+) \w+ +backend bad .* gets (?:no requests|requests again)"
    said = wait_until(lambda: len(re.findall(line, supervised.process.output())) >= 6 and
                      re.findall(line, supervised.process.output()))
    at = [int(hours) * 3600 + int(minutes) * 60 + float(seconds) for hours, minutes, seconds in said]
    for out, back, least in zip(at[::2], at[1::2], (0.2, 0.4, 0.8)):
        assert (back - out) % 86400 > least / 2


def test_what_has_not_changed_is_not_told_again(supervised):
    control = Control(supervised.path)
    control.backends(("i1", Backend()))
    assert control.command("subscribe", interval_ms=50, changes=True)["ok"]
    assert control.event("stats")["total"]["requests"] == 0
    control.event("stats", same=True)
    assert request(supervised.port).status == 200

    def told():
        stats = control.event("stats")
        return not stats.get("same") and stats["total"]["requests"] == 1 and stats["total"]["in_flight"] == 0

    wait_until(told)
    control.event("stats", same=True)
    control.backends(("i1", Backend()), ("i2", Backend()))
    wait_until(lambda: len(control.event("stats").get("backends", ())) == 2)


def test_one_slow_beside_the_others_is_ejected(supervised):
    control = Control(supervised.path)

    def slowly(seen):
        time.sleep(0.2)
        return OK

    others = [(f"i{number}", Backend()) for number in range(4)]
    control.command("set", key="algorithm", value="round_robin")
    control.command("set", key="eject_time", value="300ms")
    control.backends(("slow", Backend(slowly)), *others)
    told = threading.Event()

    def keep_asking():
        while not told.is_set():
            assert request(supervised.port).status == 200

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        assert "slow" in control.event("ejected", backend="slow")["cause"]
        control.event("admitted", backend="slow")
    finally:
        told.set()
        asking.join()


def test_one_that_stalls_for_a_moment_stays(supervised):
    control, stalled = Control(supervised.path), threading.Event()

    def stall_once(seen):
        if not stalled.is_set():
            stalled.set()
            time.sleep(0.1)
        return OK

    others = [(f"i{number}", Backend()) for number in range(3)]
    control.command("set", key="algorithm", value="round_robin")
    control.backends(("stalls", Backend(stall_once)), *others)
    end = time.monotonic() + 5  # more than a slow one is given
    while time.monotonic() < end:
        assert request(supervised.port).status == 200
        time.sleep(0.03)  # so few a second that the stall is remembered for one
    assert stalled.is_set()
    control.stats()
    assert not [event for event in control.events if event["event"] == "ejected"]


def test_one_is_not_slow_because_the_others_are_idle(supervised):
    control = Control(supervised.path)
    control.command("set", key="algorithm", value="sticky")
    control.backends(*[(f"i{number}", Backend(lambda seen: time.sleep(0.1) or OK)) for number in range(4)])
    for _ in range(4):
        cookie = request(supervised.port).headers["Set-Cookie"].partition(";")[0]
    end = time.monotonic() + 9  # what the others did is half forgotten after one, and a slow one is given three
    while time.monotonic() < end:
        assert "Set-Cookie" not in request(supervised.port, headers={"Cookie": cookie}).headers
    control.stats()
    assert not [event for event in control.events if event["event"] == "ejected"]


def test_a_new_backend_starts_slowly(supervised):
    control = Control(supervised.path)
    old, new = Backend(), Backend()
    control.command("set", key="algorithm", value="round_robin")
    control.command("set", key="slow_start", value="2s")
    control.backends(("old", old))
    begun = time.monotonic()
    wait_until(lambda: time.monotonic() > begun + 2)
    control.backends(("old", old), ("new", new))
    for _ in range(60):
        assert request(supervised.port).status == 200
    assert 0 < len(new.requests) < 25, "at once it would have got 30"


def test_controllers_come_and_go_without_a_request_lost(supervised):
    backend = Backend()
    control = Control(supervised.path)
    control.backends(("i1", backend))
    control.close()
    assert request(supervised.port).status == 200
    again = Control(supervised.path)
    assert [item["id"] for item in again.stats()["backends"]] == ["i1"]
    supervised.process.signal(signal.SIGINT)
    supervised.process.signal(signal.SIGHUP)
    assert request(supervised.port).status == 200
    others = [Control(supervised.path) for _ in range(7)]
    extra = Control(supervised.path)
    assert extra.connection.recv(1) == b""
    for other in others:
        other.close()
    wait_until(lambda: again.command("hello", version=1)["ok"])


@pytest.mark.quick
def test_the_listener_is_handed_over(supervised):
    control = Control(supervised.path)
    assert control.command("listener")["ok"]
    with socket.socket(fileno=control.descriptors[0]) as passed:
        assert passed.getsockname() == ("127.0.0.1", supervised.port)


def test_a_killed_balancer_is_replaced_on_the_same_listener(supervised):
    backend = Backend()
    Control(supervised.path).backends(("i1", backend))
    assert request(supervised.port).status == 200
    supervised.process.signal(signal.SIGKILL)
    supervised.process.wait()
    with socket.create_connection(("127.0.0.1", supervised.port), timeout=20 * SLOW) as waiting:
        waiting.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        supervised.start().backends(("i1", backend))
        assert read_answer(waiting.makefile("rb"))[0] == 200


def test_stop_drains_and_ends(supervised):
    control = Control(supervised.path)
    gate = threading.Event()

    def hold(seen):
        gate.wait(20 * SLOW)
        return OK

    backend = Backend(hold)
    control.backends(("i1", backend))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(request(supervised.port, timeout=30).status))
    thread.start()
    wait_until(lambda: backend.requests)
    assert control.command("stop")["ok"]
    assert alive(supervised.process.pid)
    gate.set()
    thread.join()
    assert answers == [200] and supervised.process.wait() == 0


def under_way(port):
    """Bytes that a server on this port has sent and nobody has read yet."""
    count = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, there, _, queues, *_ = line.split()
        sending, receiving = (int(queue, 16) for queue in queues.split(":"))
        count += sending if here.endswith(f":{port:04X}") else 0
        count += receiving if there.endswith(f":{port:04X}") else 0
    return count


def test_bytes_that_nobody_asked_for_are_seen_while_the_client_is_slow(supervised):
    """They come after the end of an answer that has been read but not yet written: the next one must not be they."""
    size, unread = 28_000, threading.Event()  # one segment, read at once, and more than the kernel keeps for this client

    def serve(peer):
        while head := peer.head():
            if b"GET /big" not in head:
                peer.send(OK)
                continue
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
            unread.wait(20 * SLOW)
            peer.send(EVIL)

    backend = Backend(serve=serve)
    supervised.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # what it accepts has it from it
    Control(supervised.path).backends(("i1", backend))
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(10 * SLOW)
        client.connect(("127.0.0.1", supervised.port))
        client.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        stream = client.makefile("rb")
        assert stream.readline().startswith(b"HTTP/1.1 200")
        wait_until(lambda: under_way(backend.port) == 0, what="the answer to be read")
        unread.set()
        wait_until(lambda: under_way(backend.port) == len(EVIL), what="the bytes to arrive")
        while stream.readline() != b"\r\n":
            pass
        assert len(stream.read(size)) == size
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(stream)[2] == b"ok"


def test_a_flood_of_lines_is_bounded(supervised):
    control = Control(supervised.path)
    control.connection.settimeout(10 * SLOW)
    with pytest.raises(OSError):
        for _ in range(64):
            control.connection.sendall(b"x" * 65536)
    assert Control(supervised.path).command("hello", version=1)["ok"]


@pytest.mark.threads
def test_backends_change_under_load_without_an_error(house):
    supervised = Supervised(house, "--threads=3")
    backends = [(f"i{number}", Backend()) for number in range(5)]
    control = Control(supervised.path)
    control.backends(*backends[:1])
    stop, statuses = threading.Event(), []

    def client():
        with socket.create_connection(("127.0.0.1", supervised.port), timeout=20 * SLOW) as connection:
            stream = connection.makefile("rb")
            while not stop.is_set():
                connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
                statuses.append(read_answer(stream)[0])

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for turn in range(60):
        count = 1 + turn * 7 % 5
        control.backends(*backends[:count], drain=["i0"] if turn % 3 == 0 and count > 1 else [])
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    seen = sum(len(backend.requests) for _, backend in backends)
    assert seen == len(statuses)
    # The last answer may be read before its worker has counted it.
    total = wait_for_stats(control, lambda stats: stats["total"]["responses"]["2xx"] == seen)["total"]
    assert total["requests"] == seen and total["errors"] == 0


@pytest.mark.threads
def test_a_stop_loses_no_connection(house):
    """What has been accepted, by whichever thread, is served; what has not waits for the next process."""
    supervised = Supervised(house, "--threads=4")
    backend, over, failures, served = Backend(), threading.Event(), [], []

    def client():
        while not over.is_set():
            try:
                served.append(request(supervised.port, timeout=20).status)
            except OSError as error:
                failures.append(error)

    control = Control(supervised.path)
    control.backends(("i1", backend))
    clients = [threading.Thread(target=client) for _ in range(12)]
    for thread in clients:
        thread.start()
    for _ in range(10):
        seen = len(served)
        wait_until(lambda: len(served) > seen + 100)
        assert control.command("stop")["ok"]
        assert supervised.process.wait() == 0
        control = supervised.start()
        control.backends(("i1", backend))
    over.set()
    for thread in clients:
        thread.join()
    assert not failures and set(served) == {200}
