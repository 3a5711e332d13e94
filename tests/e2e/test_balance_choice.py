# SPDX-License-Identifier: MIT
"""ascale-balance by itself: which instance a request goes to, when it waits for one, and what is sent again."""

import threading
import time

import pytest

from balancing import OK, Backend, Balancer, Refuser, read_answer, slow_backend
from house import SLOW, raw_request, request, wait_until


def test_a_stale_connection_is_tried_once_more_for_what_may_be_repeated(house):
    def serve(peer):
        if backend.take(peer):
            peer.send(OK)
        peer.head()  # the next request of the same connection is read and not answered
        backend.dropped = getattr(backend, "dropped", 0) + 1

    backend = Backend(serve=serve)
    balancer = Balancer(house, [backend], "--eject-failures", "0")
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        for method, expected in (("GET", 200), ("GET", 200), ("POST", 502)):
            connection.sendall(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert read_answer(stream)[0] == expected
    assert len(backend.requests) == 2 and backend.dropped == 2


@pytest.mark.parametrize("part", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"H"])
def test_what_was_answered_in_part_is_not_sent_again(house, part):
    def serve(peer):
        backend.take(peer)
        peer.send(OK)
        backend.take(peer)
        peer.send(part)

    backend = Backend(serve=serve)
    balancer = Balancer(house, [backend], "--eject-failures", "0")
    assert request(balancer.port).status == 200
    answer = raw_request(balancer.port, b"GET /again HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert b"HTTP/1.1 502 " in answer
    assert len(backend.requests) == 2 and len(backend.peers) == 1


@pytest.mark.quick
def test_a_refused_connect_goes_to_another(house):
    dead, backend = Refuser(), Backend()
    balancer = Balancer(house, [dead, backend])
    for _ in range(10):
        whole = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"
        assert raw_request(balancer.port, whole).startswith(b"HTTP/1.1 200 ")
    assert [seen.body for seen in backend.requests] == [b"abc"] * 10


@pytest.mark.parametrize("failures", [0, 5], ids=["without ejection", "with"])
def test_many_that_refuse_lead_to_the_one_that_does_not(house, failures):
    dead, backend = [Refuser() for _ in range(70)], Backend()
    balancer = Balancer(house, dead + [backend], "--algorithm", "round_robin", "--eject-failures", failures)
    for _ in range(5):
        assert request(balancer.port, method="POST", body=b"abc").status == 200
    assert [seen.body for seen in backend.requests] == [b"abc"] * 5


def test_nobody_there_is_held_then_503(house):
    dead = Refuser()
    balancer = Balancer(house, [dead], "--hold-when-empty", "yes", "--queue-timeout", "300ms", "--retry-after", "7s")
    answer = request(balancer.port)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
    assert request(Balancer(house, [dead]).port).status == 502


def test_held_requests_are_served_when_the_backend_comes_back(house):
    dead = Refuser()
    balancer = Balancer(house, [dead], "--hold-when-empty", "yes")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(request(balancer.port).status)) for _ in range(5)]
    for thread in threads:
        thread.start()
    dead.close()
    alive = Backend(port=dead.port)
    for thread in threads:
        thread.join()
    assert answers == [200] * 5
    alive.close()


@pytest.mark.quick
def test_requests_over_the_limit_wait_their_turn(house):
    gate = threading.Event()
    backend = slow_backend(gate)
    balancer = Balancer(house, [backend], "--max-in-flight", "2")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(request(balancer.port).status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(backend.requests) == 2)
    assert len(backend.peers) == 2
    gate.set()
    for thread in threads:
        thread.join()
    assert answers == [200] * 8 and len(backend.peers) <= 3


def test_the_queue_has_a_limit_and_a_deadline(house):
    gate = threading.Event()
    backend = slow_backend(gate)
    balancer = Balancer(house, [backend], "--max-in-flight", "1", "--queue-limit", "1", "--queue-timeout", "3s")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(request(balancer.port, timeout=30).status)) for _ in range(3)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answers) == 1)
    assert time.monotonic() - began < 3, "one over the limit does not wait"
    wait_until(lambda: len(answers) == 2)
    assert time.monotonic() - began >= 3 and answers == [503, 503]
    gate.set()
    for thread in threads:
        thread.join()
    assert answers == [503, 503, 200]


@pytest.mark.quick
@pytest.mark.parametrize("algorithm", ["round_robin", "least_in_flight", "p2c_ewma", "sticky"])
def test_requests_are_spread(house, algorithm):
    backends = [Backend() for _ in range(3)]
    balancer = Balancer(house, backends, "--algorithm", algorithm)
    for _ in range(90):
        assert request(balancer.port).status == 200
    counts = [len(backend.requests) for backend in backends]
    assert sum(counts) == 90 and min(counts) >= (1 if algorithm == "p2c_ewma" else 30)


def test_one_that_stalled_once_is_not_passed_over_for_long(house):
    stalled = threading.Event()

    def stall_once(seen):
        if not stalled.is_set():
            stalled.set()
            time.sleep(0.1)
        return OK

    backends = [Backend(stall_once), Backend()]
    balancer = Balancer(house, backends, "--algorithm", "p2c_ewma")
    # From 100 ms to the millisecond below which nothing counts in 7 s; it took 100 s when it was half, a third, a quarter.
    wait_until(lambda: request(balancer.port).status == 200 and len(backends[0].requests) > 5, 20)


def test_a_client_slow_to_send_is_not_held_against_its_instance(house):
    backends = [Backend(), Backend()]
    balancer = Balancer(house, backends, "--algorithm", "p2c_ewma")
    with balancer.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx")
        time.sleep(1)
        connection.sendall(b"y")
        assert read_answer(connection.makefile("rb"))[0] == 200
    served = next(backend for backend in backends if backend.requests)
    # Held against it, the second would take 10 s to be forgotten.
    wait_until(lambda: request(balancer.port).status == 200 and len(served.requests) > 5, 6)


def test_a_cookie_binds_a_client_to_its_backend(house):
    backends = [Backend() for _ in range(3)]
    balancer = Balancer(house, backends, "--algorithm", "sticky")
    cookie = request(balancer.port).headers["Set-Cookie"].partition(";")[0]
    first = [len(backend.requests) for backend in backends].index(1)
    for _ in range(10):
        answer = request(balancer.port, headers={"Cookie": f"other=1; {cookie}"})
        assert "Set-Cookie" not in answer.headers
    assert len(backends[first].requests) == 11
    backends[first].close()
    answer = request(balancer.port, headers={"Cookie": cookie})
    assert answer.status == 200 and cookie not in answer.headers["Set-Cookie"]


def test_one_that_only_fails_is_ejected_and_comes_back(house):
    state = {"broken": True}
    bad = Backend(lambda r: b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" if state["broken"] else OK)
    good = Backend()
    balancer = Balancer(house, [bad, good], "--algorithm", "round_robin", "--eject-failures", "3", "--eject-time", f"{2 * SLOW:g}s")
    wait_until(lambda: request(balancer.port).status and len(bad.requests) >= 3)
    for _ in range(20):
        assert request(balancer.port).status == 200
    assert len(bad.requests) == 3
    state["broken"] = False
    wait_until(lambda: request(balancer.port).status == 200 and len(bad.requests) > 5, 20)


@pytest.mark.parametrize("status", [501, 505])
def test_nobody_is_ejected_for_what_a_client_asked_for(house, status):
    odd = Backend(lambda r: OK if r.line.startswith(b"GET") else b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)
    balancer = Balancer(house, [odd, Backend()], "--algorithm", "round_robin", "--eject-failures", "1", "--eject-time", "1h")
    for _ in range(6):
        request(balancer.port, method="BREW")
    before = len(odd.requests)
    for _ in range(6):
        assert request(balancer.port).status == 200
    assert (before, len(odd.requests)) == (3, 6)
