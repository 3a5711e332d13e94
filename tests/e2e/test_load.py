# SPDX-License-Identifier: MIT
"""ascale-load against small servers of this file: what it sends, counts, measures, obeys and returns."""

import contextlib
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from house import SLOW, SOURCE, free_port, program, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers each request by `answer(request bytes, number)`: bytes, or None to close. Counts and records."""

    def __init__(self, answer=lambda request, number: OK, tls=None, backlog=1024, host="127.0.0.1"):
        self.answer, self.tls = answer, tls
        self.requests, self.connections = [], 0
        self.lock = threading.Lock()
        self.open = set()
        self.listener = socket.create_server((host, 0), backlog=backlog)
        self.port = self.listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}/"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, plain):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            connection = self.tls.wrap_socket(plain, server_side=True) if self.tls else plain
            stack.callback(self.open.discard, plain)
            stack.enter_context(connection)
            stream = connection.makefile("rb")
            while request := self.read(stream):
                with self.lock:
                    self.requests.append(request)
                    number = len(self.requests)
                answer = self.answer(request, number)
                if answer is None:
                    return
                for part in answer if isinstance(answer, list) else [answer]:
                    connection.sendall(part)
                if b"connection: close" in (request + b"".join(answer if isinstance(answer, list) else [answer])).lower():
                    return

    @staticmethod
    def read(stream):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return b""
            head += line
        length = re.search(rb"content-length: (\d+)", head.lower())
        return head + (stream.read(int(length.group(1))) if length else b"")

    def close(self):
        self.listener.close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def serve():
    servers = []

    def start(*arguments, **named):
        servers.append(Server(*arguments, **named))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def load(house):
    """Runs ascale-load to its end: (exit status, its JSON summary)."""

    def run(*options, deadline=30):
        status, output = house.run([program("ascale-load"), "--json", *options], deadline=deadline)
        start = output.find("{")
        assert start >= 0, output
        return status, json.JSONDecoder().raw_decode(output[start:])[0]

    return run


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
    assert 0.99 <= summary["duration_s"] <= 1.2 * SLOW
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


def test_expected_status(serve, load):
    server = serve(lambda request, number: b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    _, summary = load("--requests", 5, "--threads", 1, "--url", server.url, "--expect-status", 404)
    assert summary["errors"] == 0
    _, summary = load("--requests", 5, "--threads", 1, "--url", server.url)
    assert summary["errors"] == 5


def test_timeouts_are_errors(serve, load):
    gate = threading.Event()
    server = serve(lambda request, number: OK if number % 2 else gate.wait() and None)
    _, summary = load("--requests", 4, "--threads", 1, "--timeout", "1s", "--url", server.url)
    gate.set()
    assert summary["errors"] == summary["errors_by_kind"]["timeout"] == 2
    assert summary["requests"] == 2 and 1.9 <= summary["duration_s"] < 10 * SLOW


def test_refused_connections_are_errors_without_a_spin(load):
    status, summary = load("--threads", 4, "--duration", "1s", "--url", f"http://127.0.0.1:{free_port()}/")
    assert status == 1  # nothing was ever answered
    assert summary["requests"] == 0 and summary["requests_per_second"] == 0
    assert 4 <= summary["errors_by_kind"]["connect"] <= 4 * 25
    assert summary["latency_us"]["p50"] is None


def test_a_name_with_several_addresses_is_tried_through(serve, load):
    """localhost is [::1] first where there is IPv6; the server listens on 127.0.0.1 only."""
    server = serve()
    _, summary = load("--requests", 30, "--threads", 3, "--url", f"http://localhost:{server.port}/")
    assert summary["errors"] == 0 and summary["requests"] == len(server.requests) == 30


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


@pytest.mark.parametrize("timing", ["--even", "--poisson"])
def test_open_loop_keeps_the_rate(serve, load, timing):
    server = serve()
    _, summary = load("--rate", "400/s", timing, "--duration", "2s", "--url", server.url)
    assert summary["asked_rate"] == pytest.approx(400, rel=0.01 if timing == "--even" else 0.2)
    # Late answers of a busy machine stretch the time; how near it comes on a quiet one is for tests/bench.
    assert 0.5 < summary["achieved_rate"] / summary["asked_rate"] < 1.02
    assert summary["missed"] == 0 and summary["requests"] == len(server.requests)


def test_open_loop_does_not_hide_a_stall(serve, load):
    """One connection and a server that stalls once: those due meanwhile were late, and latency says so."""
    server = serve(lambda request, number: time.sleep(0.5) or OK if number == 20 else OK)
    _, summary = load("--rate", "100/s", "--connections", 1, "--duration", "2s", "--url", server.url)
    assert summary["requests"] == pytest.approx(200, abs=2)
    assert summary["latency_us"]["p90"] > 200_000
    assert 450_000 < summary["latency_us"]["max"] < 5_000_000 * SLOW


def test_a_rate_far_beyond_the_machine_ends_in_time(load):
    """Nothing of it can even be sent, so each start fails at once: the backlog must not hold up the end."""
    began = time.monotonic()
    status, summary = load("--rate", "10000k/s", "--duration", "1s", "--url", "http://255.255.255.255:1/")
    assert time.monotonic() - began < 2 * SLOW
    assert status == 1 and summary["generator_limited"]
    assert summary["missed"] + summary["errors"] == pytest.approx(10_000_000, abs=2)


def test_a_rate_beyond_the_server_is_told(serve, house):
    server = serve(lambda request, number: time.sleep(0.01) or OK)
    status, output = house.run([program("ascale-load"), "--rate", "1000", "--connections", 2, "--duration", "1s",
                                "--quiet", "--url", server.url])
    # On a busy machine the generator, late itself, blames itself.
    assert status == 0 and re.search("WARNING     the (rate was not kept|generator itself was the limit)", output)
    missed = int(re.search(r"\((\d+) never started\)", output).group(1))
    assert missed + len(server.requests) == 1000


def test_more_connections_than_open_files_are_refused(serve, house):
    server = serve()
    status, output = house.run(["prlimit", "--nofile=100:100", program("ascale-load"), "--connections", 200,
                                "--url", server.url])
    assert status == 1 and "cannot keep 200 connections open" in output
    status, output = house.run(["prlimit", "--nofile=100:100", program("ascale-load"), "--rate", "100", "--duration",
                                "500ms", "--json", "--url", server.url])
    assert status == 0 and len(server.requests) == 50


def test_a_shape_moves_the_rate(serve, load):
    server = serve()
    _, summary = load("--rate", "400/s", "--shape", "step,low=0%,at=1s", "--duration", "2s", "--url", server.url)
    assert summary["requests"] == pytest.approx(400, abs=10)


def test_a_trace_gives_rate_and_shape(serve, load, tmp_path):
    server = serve()
    trace = tmp_path / "trace.csv"
    trace.write_text("seconds,requests_per_second\n# a comment\n0 , 0 \r\n\n60,200\n120, 2e2\n")
    _, summary = load("--trace", trace, "--trace-speed", 60, "--duration", "2s", "--url", server.url)
    assert summary["requests"] == pytest.approx(300, abs=8)


def test_a_closed_loop_follows_a_shape_by_its_users(serve, load):
    busy = []
    server = serve(lambda request, number: busy.append(len(server.open)) or time.sleep(0.02) or OK)
    load("--threads", 8, "--shape", "step,low=25%,at=700ms", "--duration", "1500ms", "--url", server.url)
    assert max(busy[:10]) == 2 and max(busy) == 8


def test_what_is_in_flight_at_the_end_is_waited_for(serve, load):
    server = serve(lambda request, number: time.sleep(0.7) or OK)
    _, summary = load("--threads", 3, "--duration", "1s", "--url", server.url)
    assert summary["requests"] == len(server.requests) == 6
    assert summary["errors"] == 0 and summary["unfinished"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_prints_the_summary_and_is_no_failure(serve, spawn, number):
    server = serve()
    process = spawn([program("ascale-load"), "--infinite", "--threads", 2, "--url", server.url])
    wait_until(lambda: len(server.requests) > 50)
    process.signal(number)
    assert process.wait() == 0
    assert int(re.search(r"^(\d+) requests in", process.output(), re.M).group(1)) == len(server.requests)


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


class Controlled:
    """ascale-load as the control room runs it: JSON lines out, orders in."""

    def __init__(self, url, *options):
        self.popen = subprocess.Popen(
            [program("ascale-load"), "--infinite", "--progress", "json", "--control", "stdin", "--url", url,
             *map(str, options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.events = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.popen.stdout:
            self.events.append(json.loads(line))

    def order(self, line):
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()

    def wait_for(self, condition, deadline=10):
        def last():
            return self.events and condition(self.events[-1])

        wait_until(last, deadline)
        return self.events[-1]

    def close(self):
        self.popen.kill()
        self.popen.wait()


@pytest.fixture
def controlled():
    running = []

    def start(*arguments):
        running.append(Controlled(*arguments))
        return running[-1]

    yield start
    for one in running:
        one.close()


def test_progress_and_orders_as_json_lines(serve, controlled):
    server = serve(lambda request, number: time.sleep(0.01) or OK)
    run = controlled(server.url, "--threads", 2)
    event = run.wait_for(lambda event: event["requests"] > 0)
    assert event["event"] == "progress" and event["in_flight"] <= 2 and event["threads"] == 2
    assert set(event["latency_us"]) == {"p50", "p95", "p99"} and event["latency_us"]["p50"] >= 10_000
    run.order('{"cmd":"threads","value":6}')
    wait_until(lambda: server.connections == 6)
    run.order('{"cmd":"rate","value":50}')
    run.wait_for(lambda event: event["asked_rate"] == 50 and event["rps"] == pytest.approx(50, abs=5))
    run.order('{"cmd":"stop"}')
    assert run.popen.wait(10 * SLOW) == 0
    summary = run.wait_for(lambda event: event["event"] == "summary")
    assert summary["requests"] == len(server.requests) and summary["errors"] == 0
    assert run.events[-2]["event"] == "progress" and run.events[-2]["requests"] == summary["requests"]


def test_the_end_of_orders_stops_the_load(serve, controlled):
    server = serve()
    run = controlled(server.url, "--threads", 1)
    wait_until(lambda: server.requests)
    run.popen.stdin.close()
    assert run.popen.wait(10 * SLOW) == 0
    assert run.wait_for(lambda event: event["event"] == "summary")["requests"] == len(server.requests)


def test_bad_orders_are_refused_and_change_nothing(serve, controlled):
    server = serve()
    run = controlled(server.url, "--threads", 1)
    for line in ["rubbish", "[]", '{"cmd":"jump"}', '{"cmd":"rate"}', '{"cmd":"rate","value":-1}',
                 '{"cmd":"threads","value":1.5}', "x" * 5000]:
        run.order(line)
    wait_until(lambda: server.requests)
    run.order('{"cmd":"stop"}')
    assert run.popen.wait(10 * SLOW) == 0
    assert run.popen.stderr.read().count("order refused") == 7
    assert server.connections == 1


def test_users_added_and_taken_away(serve, controlled):
    server = serve(lambda request, number: time.sleep(0.02) or OK)
    run = controlled(server.url, "--threads", 2)
    wait_until(lambda: server.requests)
    run.order('{"cmd":"threads","value":100}')
    run.wait_for(lambda event: event["in_flight"] == 100)
    run.order('{"cmd":"threads","value":1}')
    run.wait_for(lambda event: event["in_flight"] <= 1)
    run.order('{"cmd":"stop"}')
    assert run.popen.wait(10 * SLOW) == 0


def test_one_connection_keeps_the_rate_under_orders_too(serve, controlled):
    server = serve()
    run = controlled(server.url, "--rate", "100", "--connections", 1)
    event = run.wait_for(lambda event: event["elapsed_s"] > 1.9)
    run.order('{"cmd":"stop"}')
    assert run.popen.wait(10 * SLOW) == 0
    assert event["requests"] == pytest.approx(100 * event["elapsed_s"], rel=0.1) and server.connections == 1


@pytest.mark.parametrize("how", [[], ["--json"], ["--csv"], ["--progress", "json"]])
def test_what_cannot_be_written_is_a_failure(serve, how):
    server = serve()
    with open("/dev/full", "w") as full:
        ended = subprocess.run([program("ascale-load"), "--requests", "5", *how, "--url", server.url], stdout=full,
                               stderr=subprocess.PIPE, text=True, timeout=20 * SLOW)
    assert ended.returncode == 1 and "No space left on device" in ended.stderr


def test_who_reads_no_further_ends_an_endless_run(serve):
    server = serve()
    with subprocess.Popen([program("ascale-load"), "--infinite", "--csv", "--threads", "1", "--url", server.url],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        try:
            assert process.wait(10 * SLOW) == 1
        finally:
            process.kill()


def test_csv_has_a_row_a_second(serve, house):
    server = serve()
    status, output = house.run([program("ascale-load"), "--csv", "--duration", "2500ms", "--rate", "100",
                                "--url", server.url])
    rows = output.splitlines()
    assert status == 0
    assert rows[0].startswith("elapsed_s,requests,requests_per_second,errors,")
    assert len(rows) == 4
    assert sum(int(row.split(",")[1]) for row in rows[1:]) == len(server.requests)


@pytest.mark.parametrize("end", [["--duration", "2s"], ["--requests", "220"]])
def test_the_rates_of_all_rows_are_those_of_what_they_count(serve, house, end):
    server = serve()
    status, output = house.run([program("ascale-load"), "--csv", *end, "--rate", "100", "--url", server.url])
    rates = [float(row.split(",")[2]) for row in output.splitlines()[1:]]
    assert status == 0 and len(rates) >= 2
    assert all(50 < rate < 200 for rate in rates), output


def test_text_summary_and_progress_lines(serve, house):
    server = serve()
    status, output = house.run([program("ascale-load"), "--threads", 2, "--duration", "2200ms", "--url", server.url])
    assert status == 0
    assert len(re.findall(r"^00:00:0\d +\d+ req/s ", output, re.M)) == 2
    for word in ("rate ", "99.99%", "codes       200: ", "errors      0", "own CPU"):
        assert word in output


def test_progress_on_a_terminal_is_a_table_in_place(serve, terminal):
    server = serve(lambda request, number: time.sleep(0.003) or OK)
    term = terminal([program("ascale-load"), "--threads", 1, "--duration", "2500ms", "--url", server.url],
                    columns=70, lines=30)
    term.wait_for_text(r"(?s)^00:00:01 of 00:00:02 .* req/s.* answered.* errors.*p99 .*^  < 5 ms .*#")
    term.wait_for_text(r"^00:00:02 of")
    assert "00:00:01" not in term.screen_text()
    assert term.wait() == 0
    assert "requests in 2.5" in term.screen_text() and "req/s" not in term.screen_text()


def test_progress_on_a_small_terminal_is_one_line(serve, terminal):
    server = serve()
    term = terminal([program("ascale-load"), "--threads", 1, "--duration", "2500ms", "--url", server.url],
                    columns=40, lines=10)
    term.wait_for_text(r"^00:00:01 .*req/s")
    term.wait_for_text(r"^00:00:02 ")
    assert "00:00:01" not in term.screen_text()
    assert term.wait() == 0


def test_rows_on_a_terminal_have_it_for_themselves(serve, terminal):
    server = serve()
    term = terminal([program("ascale-load"), "--csv", "--threads", 1, "--duration", "1500ms", "--url", server.url])
    assert term.wait() == 0
    assert "req/s" not in term.screen_text()
    assert len(re.findall(r"^[0-9.]+,\d+,", term.screen_text(), re.M)) == 2


@pytest.mark.parametrize("options, status", [
    (["--expect-p99", "10s"], 0),
    (["--expect-p99", "1ms"], 1),
    (["--max-errors", "5"], 0),
    (["--max-errors", "4"], 1),
    (["--max-errors", "50%"], 0),
    (["--max-errors", "49%"], 1),
    (["--max-errors", "0.5"], 0),
    (["--max-errors", "0.49"], 1),
])
def test_expectations_set_the_exit_status(serve, load, options, status):
    server = serve(lambda request, number: time.sleep(0.005) or (
        OK if number % 2 else b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"))
    assert load("--requests", 10, "--threads", 1, "--url", server.url, *options)[0] == status


@pytest.mark.parametrize("options, says", [
    (["--url", "ftp://127.0.0.1/"], "is not a URL such as"),
    (["--url", "http://"], "is not a URL such as"),
    (["--url", "http://user@host/"], "is not a URL such as"),
    (["--url", "http://127.0.0.1:99999/"], "is not a URL such as"),
    (["--url", "http://127.0.0.1/a b"], "is not a URL such as"),
    (["--url", "http://127.0.0.1/@0"], "the weight of 'http://127.0.0.1/@0' is not above 0"),
    (["--url", "http://127.0.0.1/@-2"], "is not above 0"),
    (["--url", "https://127.0.0.1/", "--ca-file", "/nonexistent"], "cannot read CA file /nonexistent"),
    (["--ca-file", __file__], "holds no certificate"),
    (["--infinite", "--duration", "1"], "exclude each other"),
    (["--max-errors", "1.5"], "a count such as 0"),
    (["--threads", "0"], "--threads '0': it takes 1 to"),
    (["--duration", "0"], "--duration '0': it takes a duration"),
    (["--duration", "0.0000001"], "it takes a duration"),
    (["--duration", "soon"], "it takes a duration"),
    (["--rate", "fast"], "a rate such as"),
    (["--shape", "zigzag"], "no such shape"),
    (["--poisson"], "need --rate"),
    (["--json", "--csv"], "exclude each other"),
    (["--quiet", "--progress", "json"], "exclude each other"),
    (["--trace-speed", "2"], "--trace-speed needs --trace FILE"),
    (["--trace", "/nonexistent"], "trace /nonexistent: it cannot be read: No such file"),
    (["--header", "no colon"], "up to 32 of 'Name: value'"),
    (["--header", "a: b\r\nc: d"], "up to 32 of 'Name: value'"),
    (["--header", "a: \x01"], "up to 32 of 'Name: value'"),
    (["--header", "a(b): c"], "up to 32 of 'Name: value'"),
    (["--body-file", "/nonexistent"], "cannot read body /nonexistent"),
    (["--method", "GET /"], "a method such as POST"),
    (["--bogus"], "unknown option '--bogus'"),
])
def test_usage_errors(house, options, says):
    status, output = house.run([program("ascale-load"), *options])
    assert status == 2, output
    assert says in output


def test_help_names_every_option(house):
    status, output = house.run([program("ascale-load"), "--help"])
    assert status == 0
    for option in ("--url", "--threads", "--duration", "--infinite", "--rate", "--poisson", "--even", "--shape", "--json"):
        assert option in output


def test_every_option_is_in_the_man_page(house):
    _, output = house.run([program("ascale-load"), "--help"])
    page = (SOURCE / "assets/man/ascale-load.1").read_text().replace("\\-", "-")
    options = set(re.findall(r"--[a-z][a-z0-9-]+", output))
    assert len(options) > 25
    assert [option for option in sorted(options) if option not in page] == []


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate for 127.0.0.1: (certificate file, server context)."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return files[0], context


def test_https_with_a_trusted_certificate(serve, load, certificate):
    server = serve(tls=certificate[1])
    _, summary = load("--requests", 40, "--threads", 2, "--ca-file", certificate[0], "--url", server.url)
    assert summary["requests"] == len(server.requests) == 40 and summary["errors"] == 0
    assert server.connections == summary["connections"] == 2
    _, summary = load("--rate", "40/s", "--connections", 2, "--duration", "2s", "--insecure", "--url", server.url)
    assert summary["errors"] == 0 and summary["requests"] + summary["missed"] == pytest.approx(80, abs=2)


def test_https_requests_look_like_the_others(serve, load, certificate, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(b"abc")
    plain, secret = serve(), serve(tls=certificate[1])
    for more in [], ["--method", "POST"], ["--body-file", body, "--header", "User-Agent: me"], ["--no-keepalive"]:
        for server in plain, secret:
            load("--requests", 1, "--threads", 1, "--insecure", "--url", server.url, *more)
    for one, other in zip(plain.requests, secret.requests, strict=True):
        def lines(request, port):
            head, sent = request.split(b"\r\n\r\n", 1)
            return sorted(head.replace(str(port).encode(), b"PORT").split(b"\r\n")), sent

        assert lines(one, plain.port) == lines(other, secret.port)


def test_an_https_request_is_never_sent_twice(serve, load, certificate):
    server = serve(lambda request, number: OK if number % 2 else None, tls=certificate[1])
    _, summary = load("--requests", 10, "--threads", 1, "--insecure", "--url", server.url)
    assert len(server.requests) == 10
    assert summary["errors"] == summary["errors_by_kind"]["closed"] == summary["requests"] == 5


def test_an_https_user_goes_on_as_soon_as_it_is_answered(serve, load, certificate):
    server = serve(tls=certificate[1])
    _, summary = load("--requests", 100, "--threads", 1, "--insecure", "--url", server.url)
    assert summary["requests"] == 100
    assert summary["duration_s"] < 3 * summary["latency_us"]["mean"] * 100 / 1e6


def test_https_latency_is_not_rounded_to_what_libcurl_waits(serve, load, certificate):
    """Its waits are whole milliseconds: a request due in between must not wait for the next, half of one in the mean.
    What the machine costs at the moment, the same requests without TLS tell: they have an engine of their own."""
    plain, secure = serve(), serve(tls=certificate[1])

    def p50(server):
        _, summary = load("--rate", "170/s", "--connections", 1, "--duration", "1s", "--insecure", "--url", server.url)
        return summary["latency_us"]["p50"]

    assert any(p50(secure) - p50(plain) < 400 for _ in range(8))


def test_https_with_an_unknown_certificate_is_an_error(serve, load, certificate):
    server = serve(tls=certificate[1])
    status, summary = load("--requests", 3, "--threads", 1, "--url", server.url)
    assert status == 1
    assert summary["errors_by_kind"]["tls"] == summary["errors"] == 3
    assert server.requests == []
