# SPDX-License-Identifier: MIT
"""ascale-load against small servers: what it sends, what it takes for an answer, what it counts as an error."""

import contextlib
import json
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from house import SLOW, free_port, program, wait_until
from loading import OK, Server


@pytest.mark.quick
def test_closed_loop_counts_what_the_server_counts(serve, load):
    server = serve()
    status, summary = load("--threads", 4, "--requests", 500, "--url", server.url)
    assert status == 0
    assert summary["requests"] == len(server.requests) == 500
    assert summary["errors"] == 0 and summary["codes"] == {"200": 500}
    assert server.connections == summary["connections"] == 4
    assert summary["bytes"] == 500 * len(OK)
    assert summary["requests_per_second"] == pytest.approx(500 / summary["duration_s"], rel=0.01)
    latencies = [summary["latency_us"][key] for key in ("p50", "p75", "p90", "p95", "p99", "p999", "p9999", "max")]
    assert latencies == sorted(latencies) and latencies[0] > 0


def test_short_options_as_other_tools_take_them(serve, load):
    server = serve()
    _, summary = load("-t2", "-n", 10, f"-u{server.url}")
    assert summary["requests"] == len(server.requests) == 10 and server.connections == 2


def test_a_bare_duration_is_seconds(serve, load):
    server = serve()
    status, summary = load("--threads", 2, "--duration", "1", "--url", server.url)
    assert status == 0
    assert 0.99 <= summary["duration_s"] < 10 * SLOW
    assert summary["requests"] == len(server.requests)


def test_what_a_request_looks_like(serve, load, tmp_path):
    server = serve()
    load("--requests", 1, "--threads", 1, "--url", f"{server.url}a/b?c=d#e")
    head = server.requests[0].decode()
    assert head.startswith(f"GET /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n")
    body = tmp_path / "body"
    body.write_bytes(bytes(range(256)))
    load("--requests", 1, "--threads", 1, "--url", server.url.rstrip("/"), "--method", "PUT", "--body-file", body,
         "--header", "Host: example.org", "--header", "X-Two: a b")
    head, sent = server.requests[1].split(b"\r\n\r\n", 1)
    assert head.startswith(b"PUT / HTTP/1.1\r\nUser-Agent: ascale-load/")
    assert head.count(b"Host: ") == 1 and b"\r\nHost: example.org\r\nX-Two: a b\r\n" in head
    assert b"\r\nContent-Length: 256" in head and sent == bytes(range(256))


def test_a_body_may_come_through_a_pipe(serve):
    """It is read once, and sent with every request."""
    server = serve()
    ended = subprocess.run([program("ascale-load"), "--requests", "2", "--threads", "1", "--quiet", "--body-file",
                            "/dev/stdin", "--url", server.url], input=b"one two", capture_output=True, timeout=20 * SLOW)
    assert ended.returncode == 0, ended.stderr
    assert [request.split(b"\r\n\r\n", 1)[1] for request in server.requests] == [b"one two"] * 2


def test_a_body_that_is_expected_has_a_length_even_when_there_is_none(serve, load):
    server = serve()
    load("--requests", 1, "--threads", 1, "--url", server.url, "--method", "POST")
    assert b"\r\nContent-Length: 0\r\n" in server.requests[0]


def test_a_header_replaces_the_one_that_would_be_sent(serve, load, tmp_path):
    server = serve()
    body = tmp_path / "body"
    body.write_bytes(b"12345")
    load("--requests", 1, "--threads", 1, "--url", server.url, "--body-file", body, "--header", "content-length: 5",
         "--header", "user-agent: me", "--header", "Connection: close", "--no-keepalive")
    head = server.requests[0].lower()
    assert [head.count(name) for name in (b"content-length:", b"user-agent:", b"connection:")] == [1, 1, 1]


def test_asking_to_close_is_not_using_the_connection_again(serve, load):
    server = serve()
    _, summary = load("--requests", 20, "--threads", 2, "--header", "Connection: close", "--url", server.url)
    assert summary["requests"] == server.connections == 20 and summary["errors"] == 0


def test_no_keepalive_opens_a_connection_a_request(serve, load):
    server = serve()
    _, summary = load("--requests", 20, "--threads", 2, "--no-keepalive", "--url", server.url)
    assert summary["requests"] == server.connections == summary["connections"] == 20
    assert all(b"Connection: close" in request for request in server.requests)


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200000,
], ids=["chunked", "continue", "empty", "http10", "large"])
@pytest.mark.parametrize("cut", [None, 1, 7])
def test_every_framing_however_it_is_cut(serve, load, answer, cut):
    """Pieces of the head come one by one; the connection is used again, so nothing of an answer is left behind."""
    cuts = min(len(answer), 120)
    pieces = [answer] if cut is None else [answer[i:i + cut] for i in range(0, cuts, cut)] + [
        answer[(cuts + cut - 1) // cut * cut:]]
    server = serve(lambda request, number: pieces)
    _, summary = load("--requests", 6, "--threads", 2, "--url", server.url)
    assert summary["errors"] == 0 and summary["requests"] == 6
    assert summary["bytes"] == 6 * len(answer)
    assert server.connections == 2


def test_an_answer_may_end_with_its_connection(serve, load):
    server = serve(lambda request, number: b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end")
    _, summary = load("--requests", 5, "--threads", 1, "--url", server.url)
    assert summary["errors"] == 0 and summary["requests"] == server.connections == 5


def test_an_answer_may_begin_before_the_request_is_read(load, tmp_path):
    """A server that sends the body back as it comes: neither side may wait for the end of the other."""
    body = tmp_path / "body"
    body.write_bytes(b"x" * 8_000_000)

    def echo(listener):
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream:
            while stream.readline() not in (b"\r\n", b""):
                pass
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n")
            left = 8_000_000
            while left > 0 and (data := stream.read1(65536)):
                connection.sendall(data)
                left -= len(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=echo, args=(listener,), daemon=True).start()
        _, summary = load("--requests", 1, "--threads", 1, "--timeout", "5s", "--body-file", body,
                          "--url", f"http://127.0.0.1:{listener.getsockname()[1]}/")
    assert summary["requests"] == 1 and summary["errors"] == 0


def test_head_answers_have_no_body(serve, load):
    server = serve(lambda request, number: b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    _, summary = load("--requests", 5, "--threads", 1, "--method", "HEAD", "--url", server.url)
    assert summary["errors"] == 0 and summary["requests"] == 5 and server.connections == 1


@pytest.mark.quick
@pytest.mark.parametrize("answer, kind", [
    (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "status"),
    (None, "closed"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nshort", "closed"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "protocol"),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "protocol"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "protocol"),
], ids=["status", "closed", "short", "smuggled", "foreign", "chunk"])
def test_errors_are_counted_by_kind(serve, load, answer, kind):
    server = serve(lambda request, number: answer if number % 2 else OK)
    status, summary = load("--requests", 10, "--threads", 1, "--url", server.url)
    assert status == 0
    assert summary["errors"] == summary["errors_by_kind"][kind] == 5
    assert summary["requests"] == (10 if kind == "status" else 5)
    assert len(server.requests) == 10


@pytest.mark.parametrize("expected, wrong", [
    ([], ["404", "503"]),
    (["--expect-status", "404"], ["200", "204", "301", "503"]),
    (["--expect-status", "200,204"], ["301", "404", "503"]),
    (["--expect-status", "2xx"], ["301", "404", "503"]),
    (["--expect-status=503,3XX,204"], ["200", "404"]),
])
def test_expected_status(serve, load, expected, wrong):
    """Each kind of answer comes another number of times, so the sum tells which of them were errors."""
    times = {"200": 1, "204": 2, "301": 4, "404": 8, "503": 16}
    codes = [code for code, count in times.items() for _ in range(count)]
    server = serve(lambda request, number: f"HTTP/1.1 {codes[number - 1]} X\r\nContent-Length: 0\r\n\r\n".encode())
    _, summary = load("--requests", len(codes), "--threads", 1, "--url", server.url, *expected)
    assert summary["codes"] == times
    assert summary["errors"] == summary["errors_by_kind"]["status"] == sum(times[code] for code in wrong)


def test_timeouts_are_errors(serve, load):
    gate = threading.Event()
    server = serve(lambda request, number: OK if number % 2 else gate.wait() and None)
    _, summary = load("--requests", 4, "--threads", 1, "--timeout", "1s", "--url", server.url)
    gate.set()
    assert summary["errors"] == summary["errors_by_kind"]["timeout"] == 2
    assert summary["requests"] == 2 and 1.9 <= summary["duration_s"] < 10 * SLOW


def test_an_answer_after_its_time_is_none(serve, load):
    """Also before the timer is looked at, which is every few milliseconds."""
    server = serve(lambda request, number: time.sleep(0.002) or OK)
    _, summary = load("--requests", 50, "--threads", 1, "--timeout", "1ms", "--url", server.url)
    assert summary["errors"] == summary["errors_by_kind"]["timeout"] == 50 and summary["requests"] == 0


def test_an_answer_without_end_times_out(load):
    """However fast it comes: there is always more to read, and the clock is looked at all the same."""
    def pour(listener):
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while True:
                    connection.sendall(b"1\r\nx\r\n" * 5000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=pour, args=(listener,), daemon=True).start()
        status, summary = load("--requests", 1, "--threads", 1, "--timeout", "300ms", "--url",
                               f"http://127.0.0.1:{listener.getsockname()[1]}/", deadline=10)
    assert status == 1 and summary["errors"] == summary["errors_by_kind"]["timeout"] == 1


def causes(summary):
    return {(each["kind"], each.get("errno")): each["count"] for each in summary["causes"]}


@pytest.mark.parametrize("answer, cause", [
    (None, ("closed", None)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nshort", ("closed", None)),
    ("reset", ("closed", "ECONNRESET")),
])
@pytest.mark.parametrize("secret", [False, True], ids=["http", "https"])
def test_a_closed_connection_says_how(serve, load, certificate, answer, cause, secret):
    def reply(request, number):
        if answer != "reset":
            return answer
        for connection in list(server.open):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return None

    server = serve(reply, tls=certificate.context if secret else None)
    status, summary = load("--requests", 3, "--threads", 1, "--no-keepalive", "--insecure", "--url", server.url)
    assert status == 1 and summary["errors"] == summary["errors_by_kind"]["closed"] == 3
    assert sum(causes(summary).values()) == 3 and not summary["generator_limited"]
    if not secret:
        assert causes(summary) == {cause: 3}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_says_so(house, load, scheme):
    url = f"{scheme}://127.0.0.1:{free_port()}/"
    status, summary = load("--requests", 3, "--threads", 1, "--url", url)
    assert status == 1 and causes(summary) == {("connect", "ECONNREFUSED"): 3}
    assert not summary["generator_limited"] and summary["generator_limits"] == []
    _, output = house.run([program("ascale-load"), "--requests", 3, "--threads", 1, "--quiet", "--url", url])
    assert "3 connect: Connection refused" in output and "WARNING" not in output


def in_namespace(*setting):
    """The start of a command that runs in a network of its own, once the settings are made there."""
    inside = ["unshare", "--net", "sh", "-c", "".join(f"{each} && " for each in setting) + 'exec "$@"', "sh"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode != 0:
        pytest.skip("this kernel gives no network namespace")
    return inside


SILENT = """
import socket, subprocess, sys
with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
    sys.exit(subprocess.run([*sys.argv[1:], f"http://127.0.0.1:{listener.getsockname()[1]}/"]).returncode)
"""


@pytest.mark.parametrize("how", [["--connections", 60], ["--rate", "200", "--connections", 60]], ids=["closed", "open"])
def test_ports_that_are_used_up_are_the_limit_and_named(house, how):
    """Nobody answers, so no connection becomes free; there are ports for 30 of the 60."""
    inside = in_namespace("ip link set lo up", "echo 40000 40029 >/proc/sys/net/ipv4/ip_local_port_range")
    words = [*inside, sys.executable, "-c", SILENT, program("ascale-load"), *how, "--duration", "400ms", "--timeout",
             "300ms", "--quiet"]
    status, output = house.run([*words, "--json", "--url"])
    summary = json.JSONDecoder().raw_decode(output[output.index("{"):])[0]
    assert summary["generator_limited"] and summary["generator_limits"] == ["ports"]
    assert causes(summary)["connect", "EADDRNOTAVAIL"] == summary["errors_by_kind"]["connect"] > 0
    status, output = house.run([*words, "--url"])
    assert status == 1 and "connect: Cannot assign requested address" in output
    assert "the generator itself was the limit: no local port was free" in output


def test_a_machine_without_an_address_is_not_out_of_ports(house):
    inside = in_namespace("ip link set lo up", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
    _, output = house.run([*inside, program("ascale-load"), "--requests", 3, "--threads", 1, "--json", "--url",
                           "http://[::1]:8000/"])
    summary = json.JSONDecoder().raw_decode(output[output.index("{"):])[0]
    assert causes(summary) == {("connect", "ENETUNREACH"): 3} and not summary["generator_limited"]


@pytest.mark.unsanitized
@pytest.mark.parametrize("secret", [False, True], ids=["http", "https"])
def test_descriptors_that_are_used_up_are_the_limit_and_named(serve, spawn, certificate, secret):
    """The limit falls while it runs: at the start it would be refused."""
    server = serve(lambda request, number: time.sleep(0.02) or OK, tls=certificate.context if secret else None)
    process = spawn([program("ascale-load"), "--infinite", "--connections", 40, "--no-keepalive", "--insecure", "--json",
                     "--url", server.url])
    wait_until(lambda: len(server.requests) > 80)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (20, 20))
    seen = len(server.requests)
    wait_until(lambda: len(server.requests) > seen + 100)
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    summary = json.JSONDecoder().raw_decode(process.output()[process.output().index("{"):])[0]
    assert summary["generator_limits"] == ["descriptors"] and summary["generator_limited"]
    assert causes(summary)["connect", "EMFILE"] > 0


def test_refused_connections_are_errors_without_a_spin(load):
    status, summary = load("--threads", 4, "--duration", "1s", "--url", f"http://127.0.0.1:{free_port()}/")
    assert status == 1  # nothing was ever answered
    assert summary["requests"] == 0 and summary["requests_per_second"] == 0 and summary["connections"] == 0
    assert 4 <= summary["errors_by_kind"]["connect"] <= 4 * 25
    assert summary["latency_us"]["p50"] is None


def test_a_name_with_several_addresses_is_tried_through(serve, load):
    """localhost is [::1] first where there is IPv6; the server listens on 127.0.0.1 only."""
    server = serve()
    _, summary = load("--requests", 30, "--threads", 3, "--url", f"http://localhost:{server.port}/")
    assert summary["errors"] == 0 and summary["requests"] == len(server.requests) == 30
    assert summary["connections"] == server.connections


def test_an_address_that_never_answers_does_not_spoil_the_others(house, tmp_path):
    """A name with two addresses: on the first nobody ever accepts, and no RST tells so."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 twins.test\n127.0.0.2 twins.test\n")
    inside = ["unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode != 0:
        pytest.skip("this kernel gives no mount namespace")
    with contextlib.ExitStack() as stack:
        for _ in range(20):  # until a port is free at both addresses
            server = Server(host="127.0.0.2")
            stack.callback(server.close)
            void = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                void.bind(("127.0.0.1", server.port))
                break
        void.listen(0)
        for _ in range(3):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", server.port))
        _, output = house.run([*inside, program("ascale-load"), "--json", "--requests", 30, "--threads", 2, "--timeout",
                               "300ms", "--url", f"http://twins.test:{server.port}/"])
        summary = json.loads(output)
    assert summary["errors"] == summary["errors_by_kind"]["timeout"] == 2
    assert summary["requests"] == len(server.requests) == 28


def test_several_urls_by_weight(serve, load):
    one, two = serve(), serve()
    _, summary = load("--requests", 2000, "--threads", 4, "--url", f"{one.url}a@3", "--url", f"{two.url}b")
    assert summary["errors"] == 0 and len(one.requests) + len(two.requests) == 2000
    assert 1350 < len(one.requests) < 1650
    assert all(request.startswith(b"GET /b ") for request in two.requests)


def test_more_connections_than_open_files_are_refused(serve, house):
    server = serve()
    status, output = house.run(["prlimit", "--nofile=100:100", program("ascale-load"), "--connections", 200,
                                "--url", server.url])
    assert status == 1 and "cannot keep 200 connections open" in output
    status, output = house.run(["prlimit", "--nofile=100:100", program("ascale-load"), "--rate", "100", "--duration",
                                "500ms", "--json", "--url", server.url])
    assert status == 0 and len(server.requests) == 50


@pytest.mark.parametrize("secret", [False, True], ids=["http", "https"])
def test_connections_to_several_hosts_share_the_open_files(serve, house, certificate, secret):
    """Each user has one request at a time, and whatever hosts it went to before: idle connections give way."""
    servers = [serve(tls=certificate.context if secret else None) for _ in range(10)]
    urls = [word for server in servers for word in ("--url", server.url)]
    status, output = house.run(["prlimit", "--nofile=100:100", program("ascale-load"), "--json", "--connections", 66,
                                "--requests", 3000, "--insecure", *urls])
    summary = json.loads(output)
    assert status == 0 and summary["errors"] == 0
    assert summary["requests"] == sum(len(server.requests) for server in servers) == 3000
    assert summary["connections"] > 68  # which may be open; or none had to give way


def test_what_is_in_flight_at_the_end_is_waited_for(serve, load):
    server = serve(lambda request, number: time.sleep(0.7) or OK)
    _, summary = load("--threads", 3, "--duration", "1s", "--grace", "20s", "--url", server.url)
    assert summary["requests"] == len(server.requests) == 6
    assert summary["errors"] == 0 and summary["unfinished"] == 0


@pytest.mark.parametrize("secret", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("how", [["--threads", 3], ["--rate", 20], ["--threads", 3, "--requests", 4]],
                         ids=["closed", "open", "number"])
def test_a_duration_ends_on_time(serve, load, certificate, secret, how):
    """Whatever the time-out: what never gets an answer is no error either, as it may still have come."""
    gate = threading.Event()
    server = serve(lambda request, number: OK if number < 3 else gate.wait() and None,
                   tls=certificate.context if secret else None)
    status, summary = load(*how, "--duration", "500ms", "--grace", "200ms", "--timeout", "1000s", "--insecure", "--url",
                           server.url, deadline=20)
    gate.set()
    assert status == 0 and summary["requests"] == 2 and summary["errors"] == 0
    assert summary["unfinished"] == len(server.requests) - 2 > 0
    assert summary["latency_us"]["answers"] == 2


@pytest.mark.parametrize("grace, answered", [("20s", True), ("0", False), ("0s", False), ("0ms", False)])
def test_grace_is_how_long_the_end_waits(serve, load, grace, answered):
    gate = threading.Event()
    server = serve(lambda request, number: number == 1 and OK or gate.wait(1.5) and None or OK)
    _, summary = load("--threads", 1, "--duration", "700ms", "--grace", grace, "--url", server.url)
    gate.set()
    assert summary["unfinished"] == (0 if answered else 1)
    assert summary["requests"] == (2 if answered else 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_prints_the_summary_and_is_no_failure(serve, spawn, number):
    server = serve()
    process = spawn([program("ascale-load"), "--infinite", "--threads", 2, "--url", server.url])
    wait_until(lambda: len(server.requests) > 50)
    process.signal(number)
    assert process.wait() == 0
    assert int(re.search(r"^(\d+) requests in", process.output(), re.M).group(1)) == len(server.requests)


def test_what_stops_before_it_begins_took_no_time(serve):
    server = serve()
    for _ in range(10):
        ended = subprocess.run([program("ascale-load"), "--infinite", "--threads", "1", "--json", "--control", "stdin",
                                "--url", server.url], stdin=subprocess.DEVNULL, capture_output=True, timeout=20 * SLOW)
        assert ended.returncode == 0 and json.loads(ended.stdout)["duration_s"] >= 0


def test_a_second_signal_does_not_wait(serve, spawn):
    gate = threading.Event()
    server = serve(lambda request, number: gate.wait() and None)
    process = spawn([program("ascale-load"), "--infinite", "--threads", 2, "--timeout", "100s", "--url", server.url])
    wait_until(lambda: len(server.requests) == 2)
    process.signal(signal.SIGINT)
    process.signal(signal.SIGINT)
    began = time.monotonic()
    assert process.wait() == 0
    gate.set()
    assert time.monotonic() - began < 10 * SLOW
    assert "2 unfinished" in process.output()
