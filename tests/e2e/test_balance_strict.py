# SPDX-License-Identifier: MIT
"""One request in is one request out, or 4xx and close; one bad answer is a 502 and the end of its connection.

The cases are the tables of http_cases.py, against a backend that records every byte.
"""
import itertools
import os
import re
import select
import signal
import socket
import subprocess
import time

import pytest

from http_cases import ACCEPTED, BAD_RESPONSES, CUT_RESPONSES, GOOD_RESPONSES, REFUSED, REFUSED_BODY
from raw_backend import OK, RawBackend, split_head

pytestmark = pytest.mark.quick

BUILD = os.environ.get("ASCALE_BUILD") or os.path.join(os.path.dirname(__file__), "..", "..", "build")
DEADLINE_S = 10
numbers = itertools.count(1000)  # of four digits, as the cases at a limit count on


class Balancer:
    """ascale-balance alone, on a free port, in front of one backend."""

    def __init__(self, backend_port):
        program = os.path.join(BUILD, "ascale-balance")
        self.process = subprocess.Popen(
            [program, "--listen", "127.0.0.1:0", "--threads", "1", "--backend", "127.0.0.1:%d" % backend_port],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said = b""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                self.said += os.read(self.process.stdout.fileno(), 4096)
                found = re.search(rb"127\.0\.0\.1:(\d+)\s", self.said)
                if found:
                    self.port = int(found.group(1))
                    return
            if self.process.poll() is not None:
                break
        self.stop()
        raise AssertionError("ascale-balance did not say where it listens: %r" % self.said)

    def talk(self, data, until_close=False, want_body=None):
        """Sends data; returns (all that came back, whether the balancer closed)."""
        got, closed = b"", False
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S) as sock:
            sock.settimeout(DEADLINE_S)
            try:
                sock.sendall(data)
            except OSError:
                pass  # refused before all was sent
            while until_close or not complete(got, want_body):
                try:
                    piece = sock.recv(65536)
                except ConnectionResetError:
                    closed = True
                    break
                if not piece:
                    closed = True
                    break
                got += piece
        return got, closed

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()


def final(data):
    """The answer after any interim ones: (status, head, what follows), or (None, b"", b"")."""
    while True:
        head, rest = split_head(data)
        if head is None:
            return None, b"", b""
        status = int(head.split(b" ")[1])
        if status < 200:
            data = rest
            continue
        return status, head, rest


def complete(data, want_body):
    status, head, rest = final(data)
    if status is None:
        return False
    found = re.search(rb"(?i)\r\ncontent-length: (\d+)\r\n", head)
    if want_body == b"" or status in (204, 304):
        return True
    if found:
        return len(rest) >= int(found.group(1))
    return rest.endswith(b"0\r\n\r\n")


def dechunk(head, rest):
    if not re.search(rb"(?i)\r\ntransfer-encoding: chunked\r\n", head):
        return rest
    body = b""
    while rest:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line, 16)
        if size == 0:
            return body
        body, rest = body + rest[:size], rest[size + 2:]
    raise AssertionError("no last chunk")


def marked(data):
    token = b"/case-%d-" % next(numbers)
    return data.replace(b"%T", token), token


@pytest.fixture(scope="module")
def plain():
    """A balancer before a backend that answers every request well."""
    backend = RawBackend()
    balancer = Balancer(backend.port)
    yield balancer, backend
    alive = balancer.process.poll() is None
    balancer.stop()
    backend.stop()
    assert alive, "the balancer died: %r" % balancer.said


def names(table):
    return [row[0] for row in table]


@pytest.mark.parametrize("row", REFUSED, ids=names(REFUSED))
def test_refused(plain, row):
    balancer, backend = plain
    data, token = marked(row[1])
    got, closed = balancer.talk(data, until_close=True)
    status, head, rest = final(got)
    assert status in row[2], got[:200]
    assert closed
    assert re.search(rb"(?i)\r\nconnection: close\r\n", head)
    assert rest.count(b"HTTP/1.1") == 0, "a second answer to one request"
    assert backend.seen(token) == ([], False)


@pytest.mark.parametrize("row", REFUSED_BODY, ids=names(REFUSED_BODY))
def test_body_refused(plain, row):
    balancer, backend = plain
    data, token = marked(row[1])
    got, closed = balancer.talk(data, until_close=True)
    status, _, rest = final(got)
    assert closed
    assert status in (None, 400, 413, 431), got[:200]
    assert rest.count(b"HTTP/1.1") == 0
    assert backend.seen(token)[0] == []
    if len(data) < 4096:  # in one piece: it is read before the backend hears of it
        assert backend.seen(token) == ([], False)


@pytest.mark.parametrize("row", ACCEPTED, ids=names(ACCEPTED))
def test_accepted(plain, row):
    balancer, backend = plain
    data, token = marked(row[1])
    got, _ = balancer.talk(data)
    status, head, rest = final(got)
    assert (status, dechunk(head, rest)) == (200, b"ok")
    seen, partial = backend.seen(token)
    assert len(seen) == 1 and not partial
    assert seen[0][1] == row[2]
    lines = seen[0][0].lower().split(b"\r\n")
    assert sum(l.startswith((b"content-length:", b"transfer-encoding:")) for l in lines) <= 1
    assert not any(l.startswith((b"connection: close", b"keep-alive:", b"expect:")) for l in lines) or b"expect" in data.lower()


def test_pipelined_requests_stay_apart(plain):
    balancer, backend = plain
    parts = [marked(b"POST %T HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab" + b"%d" % i) for i in range(9)]
    last, token = marked(b"GET %T HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    got, closed = balancer.talk(b"".join(p[0] for p in parts) + last, until_close=True)
    assert closed and got.count(b"HTTP/1.1 200") == 10
    for i, (_, t) in enumerate(parts):
        seen, partial = backend.seen(t)
        assert [body for _, body in seen] == [b"ab%d" % i] and not partial
    assert len(backend.seen(token)[0]) == 1


@pytest.mark.parametrize("step", [1, 7])
def test_one_request_in_many_pieces(plain, step):
    balancer, backend = plain
    data, token = marked(b"POST %T HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    with socket.create_connection(("127.0.0.1", balancer.port), timeout=DEADLINE_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(data), step):
            sock.sendall(data[i:i + step])
        got = b""
        while not complete(got, None):
            piece = sock.recv(65536)
            assert piece, got
            got += piece
    assert final(got)[0] == 200
    assert [body for _, body in backend.seen(token)[0]] == [b"hello"]


def test_headers_of_one_hop_stop_here(plain):
    balancer, backend = plain
    data, token = marked(b"GET %T HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Private\r\nX-Private: 1\r\n"
                         b"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nX-Public: 1\r\n\r\n")
    balancer.talk(data)
    head = backend.seen(token)[0][0][0].lower()
    for gone in (b"x-private", b"keep-alive:", b"proxy-connection", b"\r\nte:"):
        assert gone not in head
    assert b"\r\nx-public: 1\r\n" in head


def test_forwarded_headers_of_a_stranger_are_not_believed(plain):
    balancer, backend = plain
    data, token = marked(b"GET %T HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n\r\n")
    balancer.talk(data)
    head = backend.seen(token)[0][0][0]
    assert b"6.6.6.6" not in head
    assert b"127.0.0.1" in head


@pytest.fixture
def answering():
    """Starts a balancer before a backend that gives a certain answer to the case and a good one to all else."""
    running = []

    def start(answer, close, step=1 << 20):
        token = b"/bad"
        backend = RawBackend(lambda head: answer if token in head else OK, close_after_answer=close, step=step)
        balancer = Balancer(backend.port)
        running.append((balancer, backend))
        return balancer, backend

    yield start
    for balancer, backend in running:
        alive = balancer.process.poll() is None
        balancer.stop()
        backend.stop()
        assert alive, "the balancer died: %r" % balancer.said


GOOD = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("row", BAD_RESPONSES, ids=names(BAD_RESPONSES))
def test_bad_response(answering, row):
    balancer, backend = answering(row[1], close=False)
    got, _ = balancer.talk(b"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
    assert final(got)[0] == 502, got[:200]
    assert sum(b"/bad" in r.data for r in backend.records) == 1, "asked twice"
    assert final(balancer.talk(GOOD)[0])[0] == 200
    for record in backend.records:
        assert not (b"/bad" in record.data and b"/good" in record.data), "its connection was used again"


@pytest.mark.parametrize("row", CUT_RESPONSES, ids=names(CUT_RESPONSES))
def test_cut_response(answering, row):
    balancer, backend = answering(row[1], close=True)
    got, closed = balancer.talk(b"GET /bad HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", until_close=True)
    status, head, rest = final(got)
    assert closed
    if status == 200:
        assert not complete(got, None), "a cut answer looks whole"
    else:
        assert status == 502
    assert sum(b"/bad" in r.data for r in backend.records) == 1


def ends_by_close(answer):
    return b"Content-Length" not in answer and b"Transfer-Encoding" not in answer and b" 204 " not in answer


@pytest.mark.parametrize("step", [1, 1 << 20])
@pytest.mark.parametrize("row", GOOD_RESPONSES, ids=names(GOOD_RESPONSES))
def test_good_response(answering, row, step):
    _, method, answer, want_status, want_body = row
    balancer, _ = answering(answer, close=ends_by_close(answer), step=step)
    got, _ = balancer.talk(method + b" /bad HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", until_close=True)
    status, head, rest = final(got)
    assert status == want_status
    assert (dechunk(head, rest) if rest else rest) == want_body


def test_bytes_after_an_answer_poison_only_their_connection(answering):
    balancer, backend = answering(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", close=False)
    assert final(balancer.talk(b"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")[0])[2] == b"ok"
    for _ in range(5):
        status, _, rest = final(balancer.talk(GOOD)[0])
        assert (status, rest) == (200, b"ok")
