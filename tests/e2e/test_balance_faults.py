# SPDX-License-Identifier: MIT
"""What goes wrong around ascale-balance, injected for real: floods, slow and idle clients, backends that die in the
middle, rubbish from both sides, no descriptor left. Whatever it is, other requests see nothing of it."""

import json
import os
import random
import re
import resource
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from balancing import OK, Backend, Balancer, Control, Refuser, read_answer
from house import SLOW, process_stat, program, request, wait_until

SEEDS = Path(__file__).resolve().parents[1] / "fuzz" / "seeds" / "http1"


def get(balancer):
    return request(balancer.port, timeout=10).status


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def busy_share(pid, seconds=1):
    """Of one processor, over that time."""
    def used():
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before, end = used(), time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end)
    return (used() - before) / os.sysconf("SC_CLK_TCK") / seconds


def read_to_end(connection):
    """What comes until the other side closes, however it does."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except OSError:
        pass
    return data


def settled(control):
    """Nothing is under way, nothing is open but what the tests hold."""
    def quiet():
        total = control.stats()["total"]
        return total if total["in_flight"] == total["queue"] == total["connections"] == 0 else None
    return wait_until(quiet, 20, "the balancer to settle")


def with_control(house, backends, *options):
    balancer = Balancer(house, backends, "--control", house.directory / "sock", *options)
    return balancer, Control(str(house.directory / "sock"))


def test_slow_heads_of_many_clients_hold_up_nobody(house):
    balancer, control = with_control(house, [Backend()], "--header-timeout", f"{5 * SLOW:g}s")
    slow = [balancer.connect(timeout=20 * SLOW) for _ in range(200)]
    for connection in slow:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(20):
        assert get(balancer) == 200
        for connection in slow:
            try:
                connection.send(b"a")
            except OSError:
                pass
    for connection in slow:
        read_to_end(connection)
        connection.close()
    assert settled(control)["rejected"] == 200


def test_idle_connections_give_way_when_there_are_too_many(house):
    balancer, control = with_control(house, [Backend()], "--max-connections", "50")
    idle = [balancer.connect() for _ in range(50)]
    wait_until(lambda: control.stats()["total"]["connections"] == 50)
    for _ in range(10):
        assert get(balancer) == 200
    for connection in idle:
        connection.close()
    settled(control)


def test_who_has_sent_a_request_does_not_give_way(house):
    """They all come at once: most are accepted before the first of their requests is looked at."""
    balancer, control = with_control(house, [Backend()], "--max-connections", "10")
    balancer.process.signal(signal.SIGSTOP)
    connections = [balancer.connect() for _ in range(30)]
    for connection in connections:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    balancer.process.signal(signal.SIGCONT)
    for connection in connections:
        assert read_to_end(connection).endswith(b"ok")
        connection.close()
    settled(control)


def test_the_busy_give_way_once_they_are_idle(house):
    gate = threading.Event()

    def serve(peer):
        while peer.head():
            gate.wait(20 * SLOW)
            peer.send(OK)

    balancer, control = with_control(house, [Backend(serve=serve)], "--max-connections", "3")
    busy = []
    for _ in range(5):
        busy.append(balancer.connect())
        busy[-1].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: control.stats()["total"]["in_flight"] >= 3)
    gate.set()
    for connection in busy:
        assert connection.recv(65536).endswith(b"ok")
        assert get(balancer) == 200
    for connection in busy:
        connection.close()
    settled(control)


@pytest.mark.unsanitized
def test_an_idle_connection_costs_less_than_a_kilobyte(house):
    balancer, control = with_control(house, [Backend()])

    def used():
        return int(re.search(r"Anonymous: +(\d+)", Path(f"/proc/{balancer.process.pid}/smaps_rollup").read_text()).group(1))

    def visit():
        connection = balancer.connect()
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65536).endswith(b"ok")
        return connection

    count = min(3000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 100)
    connections = [visit() for _ in range(20)]
    before = used()
    connections += [visit() for _ in range(count)]
    assert (used() - before) * 1024 / count <= 1024
    for connection in connections:
        connection.close()
    settled(control)


@pytest.mark.unsanitized
def test_without_descriptors_it_recovers_and_does_not_spin(house):
    limit = 60

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    backend = Backend()
    process = house.spawn([program("ascale-balance"), "--port", "0", "--backend", backend.address,
                           "--control", str(house.directory / "sock")], preexec_fn=few)
    port = int(process.wait_for(r"listening on http://127\.0\.0\.1:(\d+)$").group(1))
    busy = []
    for _ in range(limit):  # heads that never end are not idle: nobody gives way
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(b"GET / HTTP/1.1\r\n")
        busy.append(connection)
    process.wait_for("idle connections are closed for new ones")

    control = socket.socket(socket.AF_UNIX)  # nor is there one for a controller
    control.connect(str(house.directory / "sock"))
    assert busy_share(process.pid) < 0.3, "it spins"
    for connection in busy:
        connection.close()
    assert request(port).status == 200
    control.sendall(b'{"id":1,"cmd":"hello","version":1}\n')
    control.settimeout(10 * SLOW)
    assert b'"ok":true' in control.recv(65536)


@pytest.mark.threads
@pytest.mark.parametrize("threads", [1, 2])
def test_held_requests_do_not_storm_an_instance_that_refuses(house, threads):
    dead = Refuser()
    balancer, control = with_control(house, [dead], "--hold-when-empty", "yes", "--queue-timeout", "60s",
                                     "--threads", threads)
    held = [balancer.connect() for _ in range(5)]
    for connection in held:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: control.stats()["total"]["queue"] == 5)
    before, began = control.stats()["total"]["connect_failures"], time.monotonic()
    assert busy_share(balancer.process.pid) < 0.3
    tries = (control.stats()["total"]["connect_failures"] - before) / (time.monotonic() - began)
    assert 5 <= tries <= 5 * 25
    dead.close()
    alive = Backend(port=dead.port)
    for connection in held:
        assert read_answer(connection.makefile("rb"))[0] == 200
        connection.close()
    total = settled(control)
    assert total["connect_failures"] < 1000
    assert (total["queued"], sum(count for _, count in total["wait"])) == (5, 5)
    alive.close()


@pytest.mark.quick
@pytest.mark.parametrize("moment", ["at once", "in the head", "in the body"])
def test_a_backend_that_dies_spares_the_others(house, moment):
    def serve(peer):
        if bad.take(peer):
            peer.send({"at once": b"", "in the head": b"HTTP/1.1 200 OK\r\nContent-",
                       "in the body": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"}[moment])
            peer.reset()

    bad, good = Backend(serve=serve), Backend()
    balancer, control = with_control(house, [bad, good], "--algorithm", "round_robin", "--eject-failures", "0")
    statuses = []
    for _ in range(10):
        with balancer.connect() as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
            data = read_to_end(connection)
            statuses.append(int(data.split()[1]) if data.endswith(b"ok") or b"502" in data[:12] else 0)
    assert statuses.count(200) == 5
    assert statuses.count(0 if moment == "in the body" else 502) == 5
    assert len(bad.requests) == len(good.requests) == 5, "a request that may have arrived was sent twice"
    total = settled(control)
    assert (total["errors"], total["aborted"]) == (5, 0)


def test_clients_that_leave_while_they_wait_are_counted(house):
    gate = threading.Event()
    backend = Backend(lambda seen: gate.wait(20 * SLOW) and OK)
    balancer, control = with_control(house, [backend], "--max-in-flight", "1", "--queue-timeout", "1h")
    connections = [balancer.connect() for _ in range(6)]
    for number, connection in enumerate(connections):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: control.stats()["total"]["queue"] == number and backend.requests)
    for connection in connections[1:]:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    wait_until(lambda: control.stats()["total"]["queue"] == 0)
    gate.set()
    assert read_answer(connections[0].makefile("rb"))[0] == 200
    connections[0].close()
    total = settled(control)
    assert (total["requests"], total["aborted"], sum(count for _, count in total["wait"])) == (1, 5, 5)


def test_clients_that_leave_take_nothing_with_them(house):
    gate = threading.Event()

    def answer(seen):
        gate.wait(20 * SLOW)
        return b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000

    backend = Backend(answer)
    balancer, control = with_control(house, [backend])
    for _ in range(20):
        connection = balancer.connect()
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wait_until(lambda: len(backend.requests) > _)
        connection.close()
    gate.set()
    assert settled(control)["aborted"] == 20
    assert len(request(balancer.port).body) == 300000


def test_a_client_that_does_not_read_is_cut_in_the_end(house):
    backend = Backend(lambda seen: b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 50000000)
    balancer, control = with_control(house, [backend], "--body-timeout", "500ms")
    with balancer.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: backend.requests)
        assert settled(control)["aborted"] == 1


def test_an_early_answer_reaches_a_client_that_still_sends(house):
    def serve(peer):
        peer.head()
        peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        while peer.fill():  # it goes on reading for a while, as servers do
            if len(peer.received) > 200_000:
                return

    balancer, control = with_control(house, [Backend(serve=serve)])
    with balancer.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 100_000)
        stream = connection.makefile("rb")
        status, head, _ = read_answer(stream)
        assert status == 413 and b"Connection: close" in head
    settled(control)


def test_a_client_that_stops_sending_is_not_held_against_an_instance_that_answers_early(house):
    def serve(peer):
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        while peer.fill():
            pass

    balancer, control = with_control(house, [Backend(serve=serve)], "--body-timeout", f"{0.4 * SLOW:g}s")
    for _ in range(6):
        with balancer.connect() as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
            assert read_to_end(connection).endswith(b"abc\r\n")
    total = settled(control)
    assert (total["aborted"], total["errors"]) == (6, 0)
    assert control.stats()["backends"][0]["state"] == "ready"


def test_a_body_that_turns_bad_after_the_answer_began_was_refused_by_us(house):
    def serve(peer):
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        while peer.fill():
            pass

    balancer, control = with_control(house, [Backend(serve=serve)])
    with balancer.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"no chunk\r\n")
        read_to_end(connection)
    total = settled(control)
    assert (total["rejected"], total["aborted"], total["errors"]) == (1, 0, 0)


def test_a_flood_of_pipelined_requests_takes_turns_with_others(house):
    """They are answered without an instance, so that nothing but our own fairness makes room for others. Both have come
    when it looks, the flood first; the log tells in which order they were answered."""
    log, count = house.directory / "access.log", 1000
    balancer = Balancer(house, [Refuser()], "--hold-when-empty", "no", "--access-log", log)
    flood, other = balancer.connect(), balancer.connect()
    for connection in (flood, other):
        connection.sendall(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(connection.makefile("rb"))[0] in (502, 503)
    os.kill(balancer.process.pid, signal.SIGSTOP)
    wait_until(lambda: process_stat(balancer.process.pid)[0] == "T")
    flood.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * count)
    other.sendall(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
    os.kill(balancer.process.pid, signal.SIGCONT)
    wait_until(lambda: log.read_text().count("\n") == count + 3)
    flood.close()
    other.close()
    before, after = log.read_text().split("GET /other ")
    assert before.count("GET / ") <= 64 and after.count("GET / ") >= count - 64


def mutate(chance, data):
    data = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0 and at < len(data):
            data[at] = chance.randrange(256)
        elif kind == 1:
            data[at:at] = chance.choice([b"\r", b"\n", b"\0", b" ", b"\t", b":", b",", b"\r\n", b"0", b"chunked", b"\xff"])
        elif kind == 2:
            del data[at:at + chance.randint(1, 8)]
        elif kind == 3:
            data[at:at] = data[max(0, at - chance.randint(1, 40)):at]
        else:
            del data[at:]
    return bytes(data)


def seeds(first):
    """Those of the parser's fuzzer that are requests (or answers); their first two bytes steer the fuzzer."""
    found = [path.read_bytes() for path in sorted(SEEDS.iterdir())]
    found = [data[data.find(b"HTTP/1"):] if first == b"HTTP" else data for data in found]
    answers = [data for data in found if data.startswith(b"HTTP/1.1 ")]
    return answers if first == b"HTTP" else [data for data in found if b" HTTP/1." in data.split(b"\r\n")[0]]


def test_mutated_requests_leave_nothing_behind(house):
    backend = Backend()
    # No client waits for a deadline here, but one on a busy machine may take a while from its connection to its bytes.
    balancer, control = with_control(house, [backend], "--header-timeout", f"{5 * SLOW:g}s", "--body-timeout",
                                     f"{5 * SLOW:g}s", "--eject-failures", "0")
    plain = [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
             b"PUT / HTTP/1.1\r\nHost: a:80\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n",
             b"GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, x\r\nX: 1\r\n\r\n"] + seeds(b"")
    get(balancer)
    before = descriptors(balancer.process.pid)
    failures, resets = [], []

    def client(number):
        chance = random.Random(number)
        for _ in range(800):
            data = b"".join(mutate(chance, chance.choice(plain)) for _ in range(chance.randint(1, 3)))
            try:
                with balancer.connect() as connection:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)
                    read_to_end(connection)
            except TimeoutError:
                failures.append(data)
            except OSError:
                resets.append(data)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, f"stuck on {failures[:3]}"
    assert settled(control)["accepted"] > 10_000
    assert backend.requests and not resets
    assert get(balancer) == 200
    wait_until(lambda: descriptors(balancer.process.pid) <= before + 2, 20, "descriptors to be closed")
    assert balancer.process.terminate() == 0


def test_mutated_answers_leave_nothing_behind(house):
    plain = [OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n",
             b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
             b"HTTP/1.0 200 OK\r\n\r\nuntil the end"] + seeds(b"HTTP")
    chance = random.Random(5)

    def serve(peer):
        while peer.head():
            peer.send(mutate(chance, chance.choice(plain)))
            if chance.random() < 0.5:
                return

    backend = Backend(serve=serve)
    balancer, control = with_control(house, [backend], "--response-timeout", "300ms", "--body-timeout", "300ms",
                                     "--eject-failures", "0")
    before = descriptors(balancer.process.pid)

    def client():
        for _ in range(200):
            with balancer.connect() as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                read_to_end(connection)

    threads = [threading.Thread(target=client) for _ in range(13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled(control)
    wait_until(lambda: descriptors(balancer.process.pid) <= before + 2, 20, "descriptors to be closed")
    assert balancer.process.terminate() == 0


def test_a_refused_upload_ends_without_a_reset(house):
    """What still comes is read for a while: closing on it would reset the connection, and some lose the answer so."""
    balancer = Balancer(house, [Backend()], "--max-body-size", "1k")
    with balancer.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000))
        assert read_answer(connection.makefile("rb"))[0] == 413
        assert connection.recv(1) == b""


def test_a_refused_upload_without_end_holds_up_nobody(house):
    balancer, control = with_control(house, [Backend()], "--max-body-size", "1k")
    stop = threading.Event()

    def upload():
        with balancer.connect() as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n")
            try:
                while not stop.is_set():
                    connection.sendall(b"x" * 65536)
            except OSError:
                pass

    threads = [threading.Thread(target=upload) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        assert get(balancer) == 200
    stop.set()
    for thread in threads:
        thread.join()
    assert settled(control)["rejected"] == 4


@pytest.mark.threads
@pytest.mark.parametrize("algorithm", ["least_in_flight", "sticky"])
def test_no_thread_keeps_the_room_to_itself(house, algorithm):
    """Four threads and one request at a time: whoever's ends finds the room, and must not only give it to its own."""
    app = house.spawn([program("ascale-app"), "--work", "1us", "--quiet"])
    backend = app.wait_for(r"http://(127\.0\.0\.1:\d+)").group(1)
    balancer, control = with_control(house, [backend], "--threads", "4", "--max-in-flight", "1",
                                     "--queue-timeout", f"{300 * SLOW:.0f}ms", "--algorithm", algorithm)
    load = house.spawn([program("ascale-load"), "--url", f"http://127.0.0.1:{balancer.port}/", "--connections", "50",
                        "--threads", "1", "--rate", "60000/s", "--duration", "3s", "--json"])
    result = json.loads(load.wait_for(r"(?s)^\{.*\}$").group(0))
    assert set(result["codes"]) == {"200"}
    assert control.stats()["backends"][0]["in_flight_max"] == 1


@pytest.mark.threads
def test_connections_are_shared_among_threads(house):
    """The kernel likes to wake the same one."""
    balancer = Balancer(house, [Backend()], "--threads", "4")

    def wakes():
        tasks = sorted(Path(f"/proc/{balancer.process.pid}/task").iterdir(), key=lambda task: int(task.name))
        counts = [re.search(r"(?m)^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text()) for task in tasks]
        return [int(count.group(1)) for count in counts]

    def visit(connection):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65536).endswith(b"ok")

    connections = [balancer.connect() for _ in range(20)]
    for connection in connections:
        visit(connection)
    before = wakes()
    for _ in range(4):
        for connection in connections:
            visit(connection)
    grown = [after - then for after, then in zip(wakes(), before)]
    assert sum(count >= 10 for count in grown[-4:]) == 4, grown
    for connection in connections:
        connection.close()


@pytest.mark.unsanitized
@pytest.mark.parametrize("idle", [0, 40])
def test_requests_wait_for_descriptors(house, idle):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))

    gate = threading.Event()

    def serve(peer):
        while peer.head():
            gate.wait(20 * SLOW)
            peer.send(OK)

    balancer = Balancer(house, [Backend(serve=serve)], "--queue-timeout", "60s", preexec_fn=few)
    kept = [balancer.connect() for _ in range(idle)]
    busy = []
    for _ in range(30):
        busy.append(balancer.connect())
        busy[-1].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    end = time.monotonic() + 0.3
    wait_until(lambda: time.monotonic() > end)
    gate.set()
    assert [read_answer(connection.makefile("rb"))[0] for connection in busy] == [200] * 30
    for connection in kept + busy:
        connection.close()
