# SPDX-License-Identifier: MIT
"""ascale-balance where one request ends and the next begins, and where it is not plain who is to blame."""

import calendar
import re
import socket
import threading
import time

import pytest

from balancing import Backend, Balancer, Control, Refuser, read_answer
from house import SLOW, raw_request

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
TRAILERS = b"2\r\nab\r\n0\r\nX-Hop: 1\r\nX-End: 2\r\nIf-Unmodified-Since: 3\r\nContent_Type: 4\r\n\r\n"


@pytest.mark.parametrize("request_bytes", [GET, POST])
def test_an_empty_line_behind_a_request_begins_none(house, request_bytes):
    balancer = Balancer(house, [Backend()], "--header-timeout", f"{SLOW:g}s", "--idle-timeout", f"{SLOW:g}s")
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        connection.sendall(request_bytes + b"\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert read_answer(stream)[0] == 200 and stream.read() == b""
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        for _ in range(3):
            connection.sendall(request_bytes + b"\r\n")
            assert read_answer(stream)[0] == 200
        assert stream.read() == b"", "an answer without a request, in place of the end of an idle connection"


def test_an_empty_line_of_its_own_is_no_request(house):
    """It comes when the connection is idle; what a client pays for it is that it is one."""
    balancer = Balancer(house, [Backend()], "--header-timeout", f"{SLOW:g}s", "--idle-timeout", f"{SLOW:g}s")
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        connection.sendall(GET)
        assert read_answer(stream)[0] == 200
        connection.sendall(b"\r\n")
        assert stream.read() == b""


@pytest.mark.parametrize("behind, answers", [(b"", 0), (GET, 1)], ids=["alone", "before a request"])
def test_an_empty_line_in_two_pieces_begins_no_request_either(house, behind, answers):
    balancer = Balancer(house, [Backend()], "--header-timeout", f"{SLOW:g}s", "--idle-timeout", f"{SLOW:g}s")
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        connection.sendall(POST + b"\r")
        assert read_answer(stream)[0] == 200
        connection.sendall(b"\n" + behind)
        for _ in range(answers):
            assert read_answer(stream)[0] == 200
        assert stream.read() == b"", "an answer without a request"


def test_who_does_not_ask_for_a_body_that_waits_for_it_is_late(house):
    """The client did nothing wrong; neither is an instance ejected for what a client alone could bring about."""
    silent = threading.Event()
    backend = Backend(serve=lambda peer: peer.head() and silent.wait(20 * SLOW))
    balancer = Balancer(house, [backend], "--body-timeout", "300ms", "--eject-failures", 1, "--control",
                        house.directory / "sock")
    with balancer.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert read_answer(connection.makefile("rb"))[0] == 504
    silent.set()
    total = Control(str(house.directory / "sock")).stats()["total"]
    assert (total["requests"], total["errors"], total["responses"]["5xx"]) == (1, 1, 0)
    assert "gets no requests" not in balancer.process.output()


def test_a_bad_answer_after_an_interim_one_is_502(house):
    """As long as nothing of the final answer has been passed on, another can take its place."""
    seen = threading.Event()

    def serve(peer):
        peer.head()
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        seen.wait(20 * SLOW)
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")

    balancer = Balancer(house, [Backend(serve=serve)])
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        connection.sendall(GET)
        assert read_answer(stream)[0] == 103
        seen.set()
        assert read_answer(stream)[0] == 502


def test_a_second_instance_counts_what_it_got_alone(supervised):
    control = Control(supervised.path)
    refuser, backend = Refuser(), Backend()
    control.backends(("dead", refuser), ("live", backend))
    for _ in range(4):
        answer = raw_request(supervised.port, POST.replace(b"Host: a", b"Host: a\r\nConnection: close"))
        assert answer.startswith(b"HTTP/1.1 200 ")
    stats = {row["id"]: row for row in control.stats()["backends"]}
    assert stats["dead"]["connect_failures"] > 0
    assert stats["dead"]["requests"] == stats["dead"]["bytes_in"] == 0
    assert stats["live"]["requests"] == 4


def test_a_chunked_body_read_before_its_connect_failed_goes_to_another_whole(house):
    """Its chunks are joined in place, behind the head from which the second instance's is composed."""
    refuser, backend = Refuser(), Backend()
    balancer = Balancer(house, [refuser, backend], "--algorithm", "round_robin", "--eject-failures", 0)
    body = bytes(i % 251 for i in range(5000))
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Last: 2\r\n\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\nX-End: 1\r\n\r\n"
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        for _ in range(4):
            connection.sendall(head + chunks)
            assert read_answer(stream)[0] == 200
    assert [(seen.body == body, seen.values("X-Last")) for seen in backend.requests] == [(True, [b"2"])] * 4
    assert backend.received().count(b"\r\n0\r\nX-End:1\r\n\r\n") == 4


@pytest.mark.parametrize("connection, hop", [(b"X-Hop", False), (b"TE", True), (b"keep-alive", True)])
def test_trailers_that_concern_one_connection_stay_there(house, connection, hop):
    """Who names a field in Connection may mean one that comes only at the end."""
    head = b"Connection: " + connection + b"\r\nTransfer-Encoding: chunked\r\n\r\n"

    def serve(peer):
        peer.body(peer.head())
        peer.send(b"HTTP/1.1 200 OK\r\n" + head + TRAILERS)

    backend = Backend(serve=serve)
    balancer = Balancer(house, [backend])
    with balancer.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n" + head + TRAILERS)
        client.shutdown(socket.SHUT_WR)
        answer = client.makefile("rb").read()
    for passed in backend.received(), answer:
        assert (b"X-Hop" in passed.partition(b"\r\n0\r\n")[2]) == (b"X-End" in passed) == hop
        assert not re.search(rb"If-Unmodified-Since|Content_Type", passed)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\nsecret",
                                    b"HTTP/1.0 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nsecret"])
def test_an_upgrade_that_concerns_another_connection_is_a_bad_answer(house, answer):
    balancer = Balancer(house, [Backend(lambda request: answer)])
    got = raw_request(balancer.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 502 ") and b"secret" not in got


@pytest.mark.parametrize("date", [b"", b"Date: Fri, 27 Nov 2026 09:00:59 GMT\r\n"], ids=["without", "with"])
def test_every_answer_has_a_date(house, date):
    """RFC 9110, 6.6.1: who passes an answer on adds what its origin left out. Interim ones have none."""
    answer = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n" + date + b"Content-Length: 0\r\n\r\n"
    balancer = Balancer(house, [Backend(serve=lambda peer: peer.head() and peer.send(answer))])
    before = int(time.time())
    hints, passed = raw_request(balancer.port, CLOSE).split(b"\r\n\r\n")[:2]
    refusal = raw_request(balancer.port, b"GET / HTTP/1.1\r\n\r\n")
    assert b" 103 " in hints and b"Date:" not in hints
    for head, given in ((passed, date), (refusal, b"")):
        written, = re.findall(rb"^(Date: .*?\r\n)", head + b"\r\n", re.M)
        if given:
            assert written == given
        else:
            at = calendar.timegm(time.strptime(written.decode(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n"))
            assert before <= at <= time.time()
