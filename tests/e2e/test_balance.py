# SPDX-License-Identifier: MIT
"""ascale-balance by itself: what passes from client to backend and back, byte for byte, and what never does."""

import contextlib
import json
import os
import re
import socket
import threading
from pathlib import Path

import pytest

from balancing import EVIL, OK, Backend, Balancer, read_answer, slow_backend
from house import SLOW, program, raw_request, request, wait_until

pytestmark = pytest.mark.quick


def exchange(balancer, data):
    """Every answer on one connection, in order, until the balancer closes it."""
    with balancer.connect() as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        stream = connection.makefile("rb")
        answers = []
        while answer := read_answer(stream):
            answers.append(answer)
        return answers


def test_a_request_and_its_answer(house):
    backend = Backend(lambda request: b"HTTP/1.1 200 Fine\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello")
    balancer = Balancer(house, [backend])
    answer = request(balancer.port, "/path?q=1", headers={"X-B": "2"})
    assert (answer.status, answer.body, answer.headers["X-A"]) == (200, b"hello", "1")
    seen = backend.requests[0]
    assert seen.line == b"GET /path?q=1 HTTP/1.1"
    assert seen.values("X-B") == [b"2"]
    assert seen.values("Host") == [f"127.0.0.1:{balancer.port}".encode()]
    assert seen.values("X-Forwarded-For") == [b"127.0.0.1"]
    assert seen.values("X-Forwarded-Proto") == [b"http"]
    assert seen.values("X-Forwarded-Host") == [f"127.0.0.1:{balancer.port}".encode()]


def test_connections_are_kept_on_both_sides(house):
    backend = Backend()
    balancer = Balancer(house, [backend])
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        for _ in range(20):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(stream)[2] == b"ok"
    assert len(backend.requests) == 20
    assert len(backend.peers) == 1


def test_pipelined_requests_are_answered_in_order(house):
    backend = Backend(lambda r: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(r.line), r.line))
    balancer = Balancer(house, [backend])
    answers = exchange(balancer, b"".join(
        b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" % i for i in range(50)))
    assert [body for _, _, body in answers] == [b"POST /%d HTTP/1.1" % i for i in range(50)]
    assert [seen.body for seen in backend.requests] == [b"abc"] * 50


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 1_000_003])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_bodies_of_answers_arrive_whole(house, size, framing):
    body = bytes(i * 7 % 251 for i in range(size))

    def serve(peer):
        while backend.take(peer):
            if framing == "length":
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body)
            elif framing == "chunked":
                peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for at in range(0, size, 7001):
                    piece = body[at:at + 7001]
                    peer.send(b"%X;ext=1\r\n%s\r\n" % (len(piece), piece))
                peer.send(b"0\r\n\r\n")
            else:
                peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + body)
                return

    backend = Backend(serve=serve)
    balancer = Balancer(house, [backend])
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            status, head, got = read_answer(stream)
            assert status == 200 and got == body
            assert (b"chunked" in head) == (framing != "length")
    old = raw_request(balancer.port, b"GET / HTTP/1.0\r\n\r\n")
    assert old.partition(b"\r\n\r\n")[2] == body
    assert b"chunked" not in old.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize("step", [1, 5, 997, 70000])
def test_chunked_requests_arrive_whole_and_joined(house, step):
    body = bytes(i * 11 % 253 for i in range(3000 if step == 1 else 300_000))
    backend = Backend()
    balancer = Balancer(house, [backend])
    with balancer.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), step):
            piece = body[at:at + step]
            connection.sendall(b"%x;a=b\r\n%s\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\nX-Sum: 5\r\nContent-Length: 9\r\nX-Forwarded-Prefix: /evil\r\n\r\n")
        assert read_answer(connection.makefile("rb"))[0] == 200
    assert backend.requests[0].body == body
    assert b"a=b" not in backend.received()
    assert b"X-Sum:5" in backend.received()
    assert b"Content-Length" not in backend.received() and b"evil" not in backend.received()


def test_what_concerns_one_connection_stays_there(house):
    backend = Backend(lambda r: b"HTTP/1.1 200 OK\r\nConnection: X-Back\r\nX-Back: 1\r\nKeep-Alive: timeout=9\r\n"
                                b"Proxy-Authenticate: Basic\r\nX-Stays: 1\r\nContent-Length: 0\r\n\r\n")
    balancer = Balancer(house, [backend])
    head = raw_request(balancer.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, x-mine\r\nX-Mine: 1\r\nTE: trailers\r\n"
                                      b"Keep-Alive: 5\r\nProxy-Authorization: x\r\nProxy-Connection: keep-alive\r\n"
                                      b"Upgrade: foo\r\nX-Stays: 2\r\n\r\n")
    seen = backend.requests[0]
    for name in ("X-Mine", "TE", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Upgrade", "Connection"):
        assert seen.values(name) == [], name
    assert seen.values("X-Stays") == [b"2"]
    for name in (b"X-Back", b"Keep-Alive", b"Proxy-Authenticate"):
        assert name not in head
    assert b"X-Stays: 1" in head and b"Connection: close" in head


def test_forwarding_fields_are_believed_from_trusted_peers_only(house):
    data = (b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 1.2.3.4\r\n"
            b"Forwarded: for=1.2.3.4\r\nX-Forwarded-Prefix: /evil\r\nX_forwarded_Ssl: on\r\nX-Forwarder: 1\r\n"
            b"Connection: close, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Prefix, Forwarded\r\n\r\n")
    backend = Backend()
    raw_request(Balancer(house, [backend], "--forwarded", "both").port, data)
    raw_request(Balancer(house, [backend], "--forwarded", "both", "--trusted-proxies", "10.0.0.0/8, 127.0.0.0/8").port, data)
    raw_request(Balancer(house, [backend], "--forwarded", "none").port, data)
    stranger, trusted, none = backend.requests
    assert stranger.values("X-Forwarded-For") == [b"127.0.0.1"]
    assert stranger.values("X-Forwarded-Proto") == [b"http"]
    assert stranger.values("X-Real-IP") == stranger.values("X-Forwarded-Prefix") == stranger.values("X_forwarded_Ssl") == []
    assert stranger.values("X-Forwarder") == [b"1"]
    assert stranger.values("Forwarded") == [b'for=127.0.0.1;host="a";proto=http']
    assert trusted.values("X-Forwarded-For") == [b"1.2.3.4", b"127.0.0.1"]
    assert trusted.values("X-Forwarded-Proto") == [b"https"]
    assert trusted.values("X-Forwarded-Prefix") == [b"/evil"] and trusted.values("X_forwarded_Ssl") == [b"on"]
    assert trusted.values("Forwarded") == [b"for=1.2.3.4", b'for=127.0.0.1;host="a";proto=http']
    assert none.values("X-Forwarded-For") == none.values("Forwarded") == []


def test_both_families_on_one_listener(house):
    try:
        backend = Backend(family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"this kernel has no IPv6: {error}")
    balancer = house.spawn([program("ascale-balance"), "--listen", "[::]:0", "--backend", backend.address,
                            "--trusted-proxies", "127.0.0.0/8"])
    port = int(balancer.wait_for(r"listening on http://\[::\]:(\d+)$").group(1))
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, port), timeout=10 * SLOW) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
            assert read_answer(connection.makefile("rb"))[0] == 200
    four, six = backend.requests
    assert four.values("X-Forwarded-For") == [b"1.2.3.4", b"127.0.0.1"]  # an IPv4 peer, and trusted, in IPv6 too
    assert six.values("X-Forwarded-For") == [b"::1"]
    assert six.values("Forwarded") == [b'for="[::1]";host="a";proto=http']


def test_head_and_empty_answers(house):
    answers = {b"/head": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"/204": b"HTTP/1.1 204 No Content\r\n\r\n",
               b"/304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"}
    backend = Backend(lambda r: answers[r.line.split()[1]])
    balancer = Balancer(house, [backend])
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        for method, path, expected in (("HEAD", "/head", b"Content-Length: 5"), ("GET", "/204", b"204"),
                                       ("GET", "/304", b"Content-Length: 7"), ("HEAD", "/head", b"Content-Length: 5")):
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            _, head, _ = read_answer(stream, method)
            assert expected in head


def test_continue_is_asked_and_passed_on(house):
    def serve(peer):
        head = peer.head()
        assert b"Expect: 100-continue" in head
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + peer.exactly(3))

    balancer = Balancer(house, [Backend(serve=serve)])
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert read_answer(stream)[0] == 100
        assert b"Link: x" in read_answer(stream)[1]
        connection.sendall(b"abc")
        assert read_answer(stream)[2] == b"abc"


def test_a_tunnel_carries_bytes_both_ways_with_half_close(house):
    def serve(peer):
        head = peer.head()
        assert re.search(rb"(?i)upgrade: websocket", head) and re.search(rb"(?i)connection: upgrade", head)
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
        while peer.fill():
            pass
        peer.send(b"you said " + peer.unread)

    balancer = Balancer(house, [Backend(serve=serve)])
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        status, head, _ = read_answer(stream)
        assert status == 101 and b"Upgrade: websocket" in head
        assert stream.read(5) == b"first"
        connection.sendall(b"x" * 200_000)
        connection.shutdown(socket.SHUT_WR)
        assert stream.read() == b"you said " + b"x" * 200_000


def test_a_tunnel_ends_with_a_client_that_hangs_up_after_its_half_close(house):
    def serve(peer):
        peer.head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while peer.fill():
            pass
        peer.send(b"all read")
        over.wait(20 * SLOW)

    over = threading.Event()
    balancer = Balancer(house, [Backend(serve=serve)])
    descriptors = Path(f"/proc/{balancer.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    connection = balancer.connect()
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    stream = connection.makefile("rb")
    assert read_answer(stream)[0] == 101
    connection.shutdown(socket.SHUT_WR)
    assert stream.read(8) == b"all read"
    assert len(list(descriptors.iterdir())) == before + 2
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    stream.close()
    connection.close()
    wait_until(lambda: len(list(descriptors.iterdir())) == before, what="both ends of the tunnel to be closed")
    over.set()


@pytest.mark.parametrize("asked,answered", [(b"", b"Upgrade: x\r\n"), (b"Upgrade: websocket\r\n", b""),
                                            (b"Upgrade: websocket\r\n", b"Upgrade: h2c\r\n"),
                                            (b"Upgrade: websocket\r\n", b"Upgrade: websocket, h2c\r\n"),
                                            (b"Upgrade: h2c\r\n", b"Upgrade: h2c\r\n")])
def test_an_unasked_upgrade_is_a_bad_answer(house, asked, answered):
    backend = Backend(lambda r: b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n" + answered + b"\r\nsecret")
    balancer = Balancer(house, [backend])
    answer = raw_request(balancer.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\n" + asked + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 502 ") and b"secret" not in answer


def test_a_refused_upgrade_is_an_answer_like_others(house):
    backend = Backend(lambda r: b"HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                b"Content-Length: 2\r\n\r\nno" if b"/426" in r.line else OK)
    balancer = Balancer(house, [backend])
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        connection.sendall(b"GET /426 HTTP/1.1\r\nHost: a\r\n\r\n")
        status, head, body = read_answer(stream)
        assert (status, body) == (426, b"no") and b"\r\nUpgrade: websocket\r\n" in head
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert read_answer(stream)[2] == b"ok"
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(stream)[2] == b"ok"


REFUSED = [
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20000 + b"\r\n\r\n", 431),
    (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", 417),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
]


@pytest.mark.parametrize("data,status", REFUSED)
def test_what_is_refused_never_reaches_a_backend(house, data, status):
    backend = Backend()
    balancer = Balancer(house, [backend])
    answer = raw_request(balancer.port, data + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1 ") == 1 and b"Connection: close" in answer
    assert backend.received() == b""


@pytest.mark.parametrize("data", [b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n",
                                  b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
                                  b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"])
def test_a_request_that_is_cut_short_is_400(house, data):
    backend = Backend()
    balancer = Balancer(house, [backend])
    assert raw_request(balancer.port, data, half_close=True).startswith(b"HTTP/1.1 400 ")
    assert backend.requests == []


@pytest.mark.parametrize("chunks", [b"5\r\nhelloX\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"g\r\n", b"5 \r\nhello\r\n0\r\n\r\n",
                                    b"0\r\nX : 1\r\n\r\n", b"ffffffffffffffffff\r\n"])
def test_a_bad_chunk_ends_the_request_and_both_connections(house, chunks):
    backend = Backend()
    balancer = Balancer(house, [backend])
    answer = raw_request(balancer.port, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert backend.requests == []
    assert request(balancer.port).status == 200


def test_bodies_over_the_limit_get_413(house):
    backend = Backend()
    balancer = Balancer(house, [backend], "--max-body-size", "1k")
    assert request(balancer.port, method="POST", body=b"x" * 1024).status == 200
    assert request(balancer.port, method="POST", body=b"x" * 1025).status == 413
    answer = raw_request(balancer.port, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + b"x" * 2048)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert [len(seen.body) for seen in backend.requests] == [1024]


def test_heads_pass_up_to_the_limit_that_was_set(house):
    def head(size):
        start, end = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", b"\r\n"
        room = size - len(start) - len(end)
        fields = b"".join(b"X-%02d: %s\r\n" % (number, b"v" * (room // 50 - 8)) for number in range(50))
        return start + fields + b"X: %s\r\n" % (b"v" * (room - len(fields) - 5)) + end

    backend = Backend()
    balancer = Balancer(house, [backend], "--max-header-size", "60k")
    assert raw_request(balancer.port, head(60 * 1024)).startswith(b"HTTP/1.1 200 ")
    assert raw_request(balancer.port, head(60 * 1024 + 1)).startswith(b"HTTP/1.1 431 ")
    assert len(backend.requests) == 1 and len(backend.requests[0].head) > 60 * 1024
    status, output = house.run([program("ascale-balance"), "--backend", "127.0.0.1:1", "--max-header-size", "61k"])
    assert status == 2 and "max_header_size" in output


BAD_ANSWERS = [b"", b"rubbish\r\n\r\n", b"HTTP/1.1 200\r\n\r\n", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
               b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
               b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
               b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", b"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\nabc"]


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_a_bad_answer_is_502_and_its_connection_is_not_used_again(house, answer):
    def serve(peer):
        backend.take(peer)
        peer.send(answer)
        if answer:
            backend.take(peer)

    backend = Backend(serve=serve)
    balancer = Balancer(house, [backend], "--eject-failures", "0")
    for number in (1, 2):
        assert request(balancer.port, method="POST").status == 502
        assert len(backend.peers) == number and len(backend.requests) == number


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
                                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX"])
def test_a_cut_answer_looks_cut(house, answer):
    def serve(peer):
        backend.take(peer)
        peer.send(answer)

    backend = Backend(serve=serve)
    balancer = Balancer(house, [backend])
    with balancer.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        got = b""
        try:
            while data := connection.recv(65536):
                got += data
        except ConnectionResetError:
            pass
    assert not got.endswith(b"0\r\n\r\n") and not got.endswith(b"short12345")


def test_bytes_after_an_answer_close_the_connection(house):
    backend = Backend(lambda r: OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    balancer = Balancer(house, [backend])
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(stream)[2] == b"ok"
    assert len(backend.peers) == 3


def test_bytes_that_nobody_asked_for_close_an_idle_connection(house):
    answered, closed = threading.Event(), threading.Event()

    def serve(peer):
        while peer.head():
            peer.send(OK)
            if len(backend.peers) == 1:
                answered.wait(20 * SLOW)
                peer.send(EVIL)
        closed.set()

    backend = Backend(serve=serve)
    balancer = Balancer(house, [backend])
    assert request(balancer.port).body == b"ok"
    answered.set()
    assert closed.wait(2 * SLOW), "it is closed no sooner than one that is only idle"
    assert request(balancer.port).body == b"ok" and len(backend.peers) == 2


@pytest.mark.parametrize("announced", [b"Content-Length: 42\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_the_body_of_an_answer_to_head_that_comes_late_meets_nobody(house, announced):
    """The next request follows at once; were it sent on the same connection, that body would be its answer."""
    def serve(peer):
        while request := backend.take(peer):
            if request.line.startswith(b"HEAD"):
                peer.send(b"HTTP/1.1 200 OK\r\n" + announced + b"\r\n")
            else:
                late = any(b"HEAD" in seen for seen in peer.received.split(b"\r\n"))
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil" if late else OK)

    backend = Backend(serve=serve)
    balancer = Balancer(house, [backend])
    with balancer.connect() as connection:
        stream = connection.makefile("rb")
        connection.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(stream, "HEAD")[0] == 200
        assert read_answer(stream)[2] == b"ok"


def test_slow_heads_end_at_one_deadline(house):
    backend = Backend()
    balancer = Balancer(house, [backend], "--header-timeout", "500ms")
    with balancer.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        connection.settimeout(0.05)
        answer = b""
        for _ in range(int(100 * SLOW)):
            try:
                connection.sendall(b"X: 1\r\n")
                data = connection.recv(65536)
                answer += data
                if not data:
                    break
            except TimeoutError:
                pass
            except OSError:
                break
    assert answer.startswith(b"HTTP/1.1 408 ")
    with balancer.connect() as silent:
        assert silent.recv(1) == b""


def test_slow_bodies_and_idle_connections_end(house):
    backend = Backend()
    balancer = Balancer(house, [backend], "--body-timeout", "300ms", "--idle-timeout", "300ms")
    with balancer.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
    with balancer.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65536).endswith(b"ok")
        assert connection.recv(1) == b""


def test_a_body_in_drops_ends_at_its_deadline(house):
    """A byte now and then is no progress."""
    balancer = Balancer(house, [Backend()], "--body-timeout", "300ms")
    with balancer.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        connection.settimeout(0.02)
        for _ in range(200):
            connection.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
                return
    pytest.fail("it went on for ever")


def test_a_silent_backend_is_504(house):
    backend = slow_backend(threading.Event())
    balancer = Balancer(house, [backend], "--response-timeout", "300ms")
    assert request(balancer.port).status == 504


def test_stopping_lets_requests_finish(house):
    gate = threading.Event()
    backend = slow_backend(gate)
    balancer = Balancer(house, [backend])
    with balancer.connect() as idle, balancer.connect() as busy:
        busy.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: backend.requests)
        balancer.process.signal(15)
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            balancer.connect()
        assert balancer.process.running()
        gate.set()
        stream = busy.makefile("rb")
        _, head, body = read_answer(stream)
        assert body == b"ok" and b"Connection: close" in head
        assert stream.read() == b""
    assert balancer.process.wait() == 0


def test_the_drain_deadline_ends_it_all_the_same(house):
    backend = slow_backend(threading.Event())
    balancer = Balancer(house, [backend], "--drain-timeout", "300ms")
    with balancer.connect() as busy:
        busy.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: backend.requests)
        assert balancer.process.terminate() == 0


def test_the_access_log_has_a_line_a_request(house):
    log = house.directory / "access.log"
    balancer = Balancer(house, [Backend()], "--access-log", log)
    request(balancer.port, "/a", headers={"User-Agent": "me\xe9", "Referer": "there"})
    assert raw_request(balancer.port, b"GET / HTTP/9.9\r\n\r\n").startswith(b"HTTP/1.1 505")
    assert balancer.process.terminate() == 0
    lines = log.read_text().splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r'127\.0\.0\.1 - - \[[^]]+\] "GET /a HTTP/1\.1" 200 \d+ "there" "me\\xe9"', lines[0])
    assert re.fullmatch(r'127\.0\.0\.1 - - \[[^]]+\] "GET - HTTP/1\.0" 505 \d+ "-" "-"', lines[1])


def test_the_access_log_has_tunnels_and_clients_that_left(house):
    def serve(peer):
        if b"Upgrade" in peer.head():
            peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello")
        while peer.fill():
            pass

    log = house.directory / "access.log"
    backend = Backend(serve=serve)
    balancer = Balancer(house, [backend], "--access-log", log)
    with balancer.connect() as connection:
        connection.sendall(b"GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        stream = connection.makefile("rb")
        assert read_answer(stream)[0] == 101 and stream.read(5) == b"hello"
        connection.shutdown(socket.SHUT_WR)
        assert stream.read() == b""
    with balancer.connect() as connection:
        connection.sendall(b"GET /left HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: b"/left" in backend.received())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_until(lambda: len(log.read_text().splitlines()) == 2)
    tunnel, left = log.read_text().splitlines()
    assert re.search(r'"GET /tunnel HTTP/1\.1" 101 [1-9]\d* ', tunnel)
    assert re.search(r'"GET /left HTTP/1\.1" 499 0 ', left)


def test_the_access_log_in_json(house):
    log = house.directory / "access.log"
    balancer = Balancer(house, [Backend()], "--access-log", log, "--access-log-format", "json")
    request(balancer.port, "/a", headers={"User-Agent": 'a"\\b\xe9'})
    assert balancer.process.terminate() == 0
    line = json.loads(log.read_text())
    assert (line["method"], line["target"], line["status"], line["agent"]) == ("GET", "/a", 200, 'a"\\b\xe9')
    assert line["duration_us"] >= 0 and line["bytes"] > 0


@pytest.mark.unsanitized
def test_it_keeps_no_privilege_it_does_not_need(house):
    balancer = Balancer(house, [Backend()], *(["--user", "nobody"] if os.geteuid() == 0 else []))
    status = Path(f"/proc/{balancer.process.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    if os.geteuid() == 0:
        assert re.search(r"^Uid:\t65534\t65534", status, re.M) and re.search(r"^CapEff:\t0+$", status, re.M)
    assert request(balancer.port).status == 200


@pytest.mark.threads
def test_many_threads_serve_one_listener(house):
    backends = [Backend() for _ in range(2)]
    balancer = Balancer(house, backends, "--threads", "4")
    statuses = []

    def client():
        with balancer.connect() as connection:
            stream = connection.makefile("rb")
            for _ in range(50):
                connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
                statuses.append(read_answer(stream)[0])

    threads = [threading.Thread(target=client) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 800
    assert sum(len(backend.requests) for backend in backends) == 800
    assert balancer.process.terminate() == 0


@pytest.mark.parametrize("words,message", [
    (["--backend", "nonsense"], "is no address"),
    (["--backend", "127.0.0.1:1", "--no-such-thing", "1"], "no-such-thing|no_such_thing"),
    (["--backend", "127.0.0.1:1", "--queue-limit", "-3"], "queue_limit"),
    (["--backend", "127.0.0.1:1", "--port"], "lacks a value"),
    (["--port", "0", "--backend", "127.0.0.1:0"], "its address is none"),
    (["--port", "0", "--backend", "127.0.0.1:1", "--backend", "127.0.0.1:1"], "named twice"),
    (["--backend", "127.0.0.1:1", "--listen", "a.example:1"], "no numeric address"),
    (["--backend", "127.0.0.1:1", "--trusted-proxies", "10.0.0.0/33"], "trusted_proxies"),
    ([], "no --backend"),
    (["extra"], "no option"),
])
def test_bad_arguments_are_named_and_exit_2(house, words, message):
    status, output = house.run([program("ascale-balance"), *words])
    assert status == 2 and re.search(message, output)


def test_a_taken_port_is_said(house):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, output = house.run([program("ascale-balance"), "--port", port, "--backend", "127.0.0.1:1"])
    assert status == 1 and f"cannot listen on 127.0.0.1:{port}" in output
