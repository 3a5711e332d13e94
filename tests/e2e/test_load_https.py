# SPDX-License-Identifier: MIT
"""ascale-load over https, which libcurl carries: the same figures as without."""

import collections
import contextlib
import pathlib
import re
import socket
import threading
import time

import pytest

from house import SLOW, program, wait_until
from loading import OK


@pytest.mark.quick
def test_https_with_a_trusted_certificate(serve, load, certificate):
    server = serve(tls=certificate.context)
    _, summary = load("--requests", 40, "--threads", 2, "--ca-file", certificate.file, "--url", server.url)
    assert summary["requests"] == len(server.requests) == 40 and summary["errors"] == 0
    assert server.connections == summary["connections"] == 2
    _, summary = load("--rate", "40/s", "--connections", 2, "--duration", "2s", "--insecure", "--url", server.url)
    assert summary["errors"] == 0 and summary["requests"] + summary["missed"] == pytest.approx(80, abs=2)


@pytest.mark.parametrize("path, more", [
    ("", []),
    ("", ["--method", "POST"]),
    ("", ["--body-file", "BODY", "--header", "User-Agent: me"]),
    ("", ["--no-keepalive"]),
    ("", ["--header", "X-Empty:", "--header", "X-Blank: \t", "--header", "X-One:1"]),
    ("", ["--header", "Host:", "--header", "User-Agent:", "--header", "Accept:"]),
    ("a/../b/./%2e%2E/c//d?e=/../f#g", []),
], ids=["get", "post", "body", "close", "empty", "emptied", "dots"])
def test_https_requests_look_like_the_others(serve, load, certificate, tmp_path, path, more):
    body = tmp_path / "body"
    body.write_bytes(b"abc")
    more = [body if word == "BODY" else word for word in more]

    def sent(server):
        load("--requests", 1, "--threads", 1, "--insecure", "--url", f"{server.url}{path}", *more)
        head, sent = server.requests[0].replace(str(server.port).encode(), b"PORT").split(b"\r\n\r\n", 1)
        return sorted(line.rstrip() for line in head.split(b"\r\n")), sent

    assert sent(serve()) == sent(serve(tls=certificate.context))


@pytest.mark.parametrize("secret", [False, True], ids=["http", "https"])
def test_redirects_are_not_followed_and_no_errors(serve, load, certificate, secret):
    server = serve(lambda request, number: b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
                   tls=certificate.context if secret else None)
    _, summary = load("--requests", 3, "--threads", 1, "--insecure", "--url", server.url)
    assert summary["errors"] == 0 and summary["codes"] == {"302": 3} and len(server.requests) == 3


def test_the_case_of_a_scheme_does_not_matter(serve, load, certificate):
    for server in serve(), serve(tls=certificate.context):
        _, summary = load("--requests", 1, "--threads", 1, "--insecure", "--url", server.url.upper())
        assert summary["requests"] == len(server.requests) == 1


def test_an_https_request_is_never_sent_twice(serve, load, certificate):
    server = serve(lambda request, number: OK if number % 2 else None, tls=certificate.context)
    _, summary = load("--requests", 10, "--threads", 1, "--insecure", "--url", server.url)
    assert len(server.requests) == 10
    assert summary["errors"] == summary["errors_by_kind"]["closed"] == summary["requests"] == 5


def test_an_https_user_goes_on_as_soon_as_it_is_answered(serve, load, certificate):
    server = serve(tls=certificate.context)
    _, summary = load("--requests", 100, "--threads", 1, "--insecure", "--url", server.url)
    assert summary["requests"] == 100
    assert summary["duration_s"] < 3 * summary["latency_us"]["mean"] * 100 / 1e6


@pytest.mark.parametrize("head", [
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 600 Beyond\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 099 Below\r\nContent-Length: 0\r\n\r\n",
], ids=["101", "late101", "600", "999", "099"])
@pytest.mark.parametrize("secret", [False, True], ids=["http", "https"])
def test_a_status_that_is_none_is_not_http(serve, load, certificate, head, secret):
    """No answer, so no code of one either; and its connection is used no more."""
    server = serve(lambda request, number: head if number % 2 else OK, tls=certificate.context if secret else None)
    status, summary = load("--requests", 4, "--threads", 1, "--timeout", "20s", "--insecure", "--url", server.url)
    assert status == 0
    assert summary["errors"] == summary["errors_by_kind"]["protocol"] == 2
    assert summary["codes"] == {"200": 2} and server.connections == 3


NO_HTTP = {
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "smuggled": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "beyond": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
    "newlines": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "folded": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "version": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "endless": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000,
}


@pytest.mark.parametrize("answer", NO_HTTP.values(), ids=NO_HTTP)
@pytest.mark.parametrize("secret", [False, True], ids=["http", "https"])
def test_what_is_not_http_is_not_http_over_https_either(serve, load, certificate, answer, secret):
    server = serve(lambda request, number: answer if number % 2 else OK, tls=certificate.context if secret else None)
    _, summary = load("--requests", 4, "--threads", 1, "--timeout", "20s", "--insecure", "--url", server.url)
    assert summary["errors"] == summary["errors_by_kind"]["protocol"] == 2
    assert summary["codes"] == {"200": 2}


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000,
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n",
], ids=["chunked", "hints", "empty", "unchanged"])
@pytest.mark.parametrize("cut", [None, 3])
def test_https_counts_the_bytes_that_the_server_sent(serve, load, certificate, answer, cut):
    """Chunk sizes, trailers and heads before the last are among them, as they are over http."""
    pieces = [answer[i:i + 3] for i in range(0, 120, 3)] + [answer[120:]] if cut else [answer]
    server = serve(lambda request, number: pieces, tls=certificate.context)
    _, summary = load("--requests", 6, "--threads", 2, "--insecure", "--url", server.url)
    assert summary["errors"] == 0 and summary["requests"] == 6 and server.connections == 2
    assert summary["bytes"] == 6 * len(answer)


def test_https_does_not_wait_to_be_told_to_go_on(serve, load, certificate, tmp_path):
    """The body follows its head at once, as over http; libcurl would wait a second each for a 100 that never comes."""
    body = tmp_path / "body"
    body.write_bytes(b"abc")
    server = serve(tls=certificate.context)
    _, summary = load("--requests", 30, "--threads", 1, "--insecure", "--body-file", body, "--header",
                      "Expect: 100-continue", "--url", server.url)
    assert summary["requests"] == 30 and all(request.endswith(b"\r\n\r\nabc") for request in server.requests)
    assert summary["duration_s"] < 5 * SLOW


def test_an_https_run_ends_with_its_last_answer(serve, load, certificate):
    """And not when it would next show how it goes, which it does ten times a second."""
    server = serve(tls=certificate.context)

    def waited_s():
        _, summary = load("--requests", 1, "--connections", 2, "--insecure", "--url", server.url)
        assert summary["requests"] == 1
        return summary["duration_s"] - summary["latency_us"]["max"] / 1e6

    assert any(waited_s() < 0.05 for _ in range(10))


def alarm(pid):
    """When its timer is due: the earliest and the latest that can be, in seconds of this clock. None: it has none."""
    for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        before = time.monotonic()
        with contextlib.suppress(OSError):  # closed in between
            left = re.search(r"^it_value: \((\d+), (\d+)\)$", path.read_text(), re.M)
            if left and left.groups() != ("0", "0"):
                left = int(left.group(1)) + int(left.group(2)) / 1e9
                return before + left, time.monotonic() + left
    return None


def test_https_requests_are_due_to_the_microsecond(serve, house, certificate):
    """libcurl waits whole milliseconds. Every 10.3 ms one is due, so a timer in step with that cannot be one of those."""
    server, rate = serve(tls=certificate.context), 97
    process = house.spawn([program("ascale-load"), "--rate", rate, "--even", "--connections", 1, "--infinite", "--insecure",
                           "--url", server.url])

    looks = collections.deque(maxlen=9)

    def in_step():
        """Most of the last looks agree on when in its period one is due; others met a turn for another reason."""
        look = alarm(process.pid)
        if look and look[1] - look[0] < 0.0002:
            looks.append(look[0] * rate % 1 / rate)
        apart = [[abs((look - one + 0.5 / rate) % (1 / rate) - 0.5 / rate) for look in looks] for one in looks]
        return any(sum(each < 0.0002 for each in from_one) > 5 for from_one in apart)

    wait_until(in_step)


def test_https_with_an_unknown_certificate_is_an_error(serve, load, certificate):
    server = serve(tls=certificate.context)
    status, summary = load("--requests", 3, "--threads", 1, "--url", server.url)
    assert status == 1
    assert summary["errors_by_kind"]["tls"] == summary["errors"] == 3
    assert server.requests == []


@pytest.mark.parametrize("framing, notice, answered", [
    (b"\r\n", False, 0),
    (b"\r\n", True, 4),
    (b"Content-Length: 3\r\n\r\n", False, 4),
], ids=["cut", "noticed", "length"])
def test_an_https_answer_without_a_length_ends_with_a_notice(load, certificate, framing, notice, answered):
    """Without one, anybody on the way may have cut it. Where the length is known nothing is missing."""
    def answer(listener):
        for _ in range(4):
            with contextlib.suppress(OSError):
                plain, _ = listener.accept()
                with certificate.context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + framing + b"end")
                    if notice:
                        connection.unwrap()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        _, summary = load("--requests", 4, "--threads", 1, "--insecure", "--url",
                          f"https://127.0.0.1:{listener.getsockname()[1]}/")
    assert summary["requests"] == answered and summary["errors"] == summary["errors_by_kind"]["closed"] == 4 - answered
