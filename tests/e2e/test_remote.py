# SPDX-License-Identifier: MIT
"""target = http against a real server that answers well, badly, late or never (FAULTS 29)."""

import json
import re
import socket
import ssl
import threading
import time

import pytest

from certificates import make_certificate
from house import SLOW, program, wait_until

QUICK = {
    "scaling.target": "http",
    "scaling.strategy": "tracking",
    "scaling.min_instances": "1",
    "scaling.max_instances": "20",
    "scaling.target_cpu": "80%",
    "scaling.scale_up_threshold": "85%",
    "scaling.scale_down_threshold": "75%",
    "scaling.polling_interval": "200ms",
    "scaling.stabilization": "0",
    "scaling.stabilization_down": "0",
    "scaling.cooldown_up": "0",
    "scaling.cooldown_down": "0",
    "scaling.max_step": "4",
    "http.timeout": "400ms",
    "http.retry_base": "10ms",
    "http.retry_max": "50ms",
    "http.breaker_open_time": "600ms",
    "balancer.enabled": "no",
}


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.at = time.monotonic()


class Application:
    """The API of an application whose CPU follows its replicas: demand / replicas. `mode` says how it fails."""

    def __init__(self, tls=None):
        self.demand, self.replicas, self.mode, self.token = 8.0, 10, "good", None
        self.requests, self.lock = [], threading.Lock()
        self.writing = self.most_writing = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.listener.settimeout(0.1)
        self.port = self.listener.getsockname()[1]
        self.tls = tls
        self.closing = threading.Event()
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def close(self):
        self.closing.set()
        self.listener.close()
        for thread in self.threads:
            thread.join(5)

    def seen(self, method=None):
        with self.lock:
            return [request for request in self.requests if method in (None, request.method)]

    def settled(self):
        return 0.75 <= self.demand / self.replicas <= 0.85

    def _accept(self):
        while not self.closing.is_set():
            try:
                connection, _ = self.listener.accept()
            except socket.timeout:
                continue
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection):
        try:
            connection.settimeout(5)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                while not self.closing.is_set() and (request := self._read(connection)):
                    with self.lock:
                        self.requests.append(request)
                    if not self._answer(connection, request):
                        return
        except (OSError, ssl.SSLError):
            pass

    def _read(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = connection.recv(4096)
            if not chunk:
                return None
            data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        while len(body) < int(headers.get("content-length", 0)):
            body += connection.recv(4096)
        return Request(method, path, headers, body)

    def _answer(self, connection, request):
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return self._send(connection, 401, b"{}")
        if self.mode.startswith("put-") and request.method != "PUT":
            return self._good(connection, request)
        handler = getattr(self, "_" + self.mode.removeprefix("put-").replace("-", "_"))
        return handler(connection, request)

    def _send(self, connection, status, body, content_type="application/json", extra=""):
        connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n{extra}"
                           f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return True

    def _status(self):
        return {"cpu": {"highPriority": round(min(1.0, self.demand / max(self.replicas, 1)), 4)},
                "replicas": self.replicas}

    def _good(self, connection, request):
        if request.method == "GET":
            return self._send(connection, 200, json.dumps(self._status()).encode())
        with self.lock:
            self.writing += 1
            self.most_writing = max(self.most_writing, self.writing)
        time.sleep(0.02)
        self.replicas = json.loads(request.body)["replicas"]
        with self.lock:
            self.writing -= 1
        return self._send(connection, 200, b"{}")

    def _error(self, connection, _):
        return self._send(connection, 500, b'{"error":"no"}')

    def _hang(self, *_):
        self.closing.wait(3 * SLOW)
        return False

    def _cut(self, connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"cpu\"")
        return False

    def _redirect(self, connection, _):
        return self._send(connection, 302, b"", extra=f"Location: http://127.0.0.1:{self.port}/elsewhere\r\n")

    def _garbage(self, connection, _):
        return self._send(connection, 200, b"\x00\xff<html>\x1b[2J")

    def _nonsense(self, connection, _):
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        return False

    def _nan(self, connection, _):
        return self._send(connection, 200, b'{"cpu":{"highPriority":NaN},"replicas":10}')

    def _text(self, connection, _):
        return self._send(connection, 200, b'{"cpu":{"highPriority":"0.1"},"replicas":10}')

    def _percent(self, connection, _):
        return self._send(connection, 200, b'{"cpu":{"highPriority":68},"replicas":10}')

    def _negative(self, connection, _):
        return self._send(connection, 200, b'{"cpu":{"highPriority":0.1},"replicas":-3}')

    def _half(self, connection, _):
        return self._send(connection, 200, b'{"cpu":{"highPriority":0.1},"replicas":2.5}')

    def _missing(self, connection, _):
        return self._send(connection, 200, b'{"cpu":{},"replicas":10}')

    def _html(self, connection, _):
        return self._send(connection, 200, json.dumps(self._status()).encode(), content_type="text/html")

    def _endless(self, connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not self.closing.is_set():
            connection.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
        return False

    def _drip(self, connection, _):
        for byte in b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n":
            connection.sendall(bytes([byte]))
            if self.closing.wait(0.1):
                break
        return False

    def _deep(self, connection, _):
        return self._send(connection, 200, b"[" * 60000)

    def _ignore(self, connection, _):
        return self._send(connection, 200, b"{}")


@pytest.fixture
def application():
    app = Application()
    yield app
    app.close()


# A handshake takes its time on a busy machine, and an interval is all that a reading gets.
PATIENT = {"http__timeout": "20s", "http__connect_timeout": "20s", "scaling__polling_interval": f"{2 * SLOW:g}s"}


class Room:
    """A headless control room for it."""

    def __init__(self, house, app, scheme="http", **settings):
        argv = [program("ascale-tui"), "--headless", "-s", f"http.app_url={scheme}://127.0.0.1:{app.port}"]
        for key, value in (QUICK | {name.replace("__", "."): value for name, value in settings.items()}).items():
            argv += ["-s", f"{key}={value}"]
        self.process = house.spawn(argv, cwd=house.directory)

    def says(self, pattern, deadline=15.0):
        return self.process.wait_for(pattern, deadline)

    def end(self):
        assert self.process.terminate() == 0, self.process.output()


@pytest.mark.quick
def test_the_count_follows_the_demand(house, application):
    application.demand, application.replicas = 12.0, 8
    room = Room(house, application)
    wait_until(application.settled, 20)
    application.demand = 5.0
    wait_until(lambda: application.replicas == 7, 20, "7 replicas for a demand of 5 at 80%")
    room.end()
    writes = application.seen("PUT")
    assert application.most_writing == 1
    for write in writes:
        assert write.path == "/app/replicas"
        assert write.headers["content-type"] == "application/json"
        assert list(json.loads(write.body)) == ["replicas"]
    for read in application.seen("GET"):
        assert read.path == "/app/status"
        assert read.headers["accept"] == "application/json"
    # Looked at again before every order.
    log = application.seen()
    for i, entry in enumerate(log):
        if entry.method == "PUT":
            assert log[i - 1].method == "GET"


BAD = ["error", "hang", "cut", "redirect", "garbage", "nonsense", "nan", "text", "percent",
       "negative", "half", "missing", "html", "endless", "drip", "deep"]


@pytest.mark.parametrize("mode", BAD)
def test_bad_answers_never_change_the_count(house, application, mode):
    room = Room(house, application)
    room.says(r"HOLD 10 ")
    # An answer believed now would take most of the fleet away.
    application.mode, application.demand = mode, 1.0
    before = len(application.seen())
    room.says(r"calls pause for", 60)
    assert len(application.seen()) > before
    assert application.replicas == 10 and not application.seen("PUT")
    assert not [r for r in application.seen() if r.path == "/elsewhere"]
    application.mode, application.demand = "good", 12.0
    room.says("answers again", 30)
    wait_until(lambda: application.replicas > 10, 30, "the fleet to grow after the fault")
    room.end()


@pytest.mark.parametrize("mode", ["put-error", "put-hang", "put-cut", "put-redirect"])
def test_a_failed_order_is_looked_at_and_given_again(house, application, mode):
    application.mode, application.demand = mode, 12.0
    room = Room(house, application, http__breaker_failures="1000")
    room.says(r"order of \d+: given up", 30)
    assert application.replicas == 10
    application.mode = "good"
    wait_until(application.settled, 30)
    room.end()
    assert application.most_writing == 1


def test_an_order_that_came_through_unheard_is_not_repeated(house, application):
    """The write is done but its answer is lost: the next look finds the count there."""

    def lose_answer(connection, request):
        application.replicas = json.loads(request.body)["replicas"]
        return False

    application._lost = lose_answer
    application.mode, application.demand = "put-lost", 8.8  # 11 replicas at 80%
    room = Room(house, application)
    wait_until(lambda: application.replicas == 11)
    count = len(application.seen("GET"))
    wait_until(lambda: len(application.seen("GET")) > count + 5, what="more steps")
    room.end()
    assert len(application.seen("PUT")) == 1


def test_a_count_that_does_not_follow_is_said(house, application):
    application.mode, application.demand = "put-ignore", 12.0
    room = Room(house, application)
    room.says(r"target lags: 10 seen, 1\d ordered", 30)
    room.says(r"ERROR the target has not followed 3 orders in a row: 1\d ordered, 10 there", 30)
    wait_until(lambda: len(application.seen("PUT")) >= 2, 30, "the order to be given again")
    assert {json.loads(write.body)["replicas"] for write in application.seen("PUT")} <= set(range(11, 16))
    room.end()


def test_some_failures_are_bridged_by_retries(house, application):
    calls = iter(range(1000000))

    def sometimes(connection, request):
        return (application._good if next(calls) % 3 else application._error)(connection, request)

    application._sometimes = sometimes
    application.mode, application.demand = "sometimes", 12.0
    room = Room(house, application, scaling__polling_interval="400ms")
    wait_until(application.settled, 30)
    assert "calls pause" not in room.process.output()
    room.end()


def test_calls_pause_and_one_probe_decides(house, application):
    application.mode = "error"
    room = Room(house, application, http__retries="0", http__breaker_failures="3", http__breaker_open_time="1s")
    room.says("calls pause", 20)
    assert len(application.seen()) == 3
    wait_until(lambda: len(application.seen()) >= 5, 20, "two probes")
    times = [request.at for request in application.seen()]
    assert times[3] - times[2] > 0.9 and times[4] - times[3] > 0.9
    application.mode = "good"
    room.says("answers again", 20)
    room.end()


def test_an_application_that_is_not_there(house, application):
    application.listener.close()
    room = Room(house, application)
    room.says(r"fails: the count is kept, the next step tries again \(GET /app/status: Connection refused\)", 30)
    room.end()


def test_tokens(house, application):
    application.token = "sesame"
    secret = house.directory / "token"
    secret.write_text("wrong\n")
    secret.chmod(0o600)
    room = Room(house, application, http__token_file=str(secret))
    room.says(r"401 \(is the token right\?\)", 20)
    room.end()
    assert not any("wrong" in process.output() for process in house.started)
    secret.write_text("sesame\n")
    room = Room(house, application, http__token_file=str(secret))
    room.says(r"HOLD 10 ")
    room.end()
    secret.chmod(0o644)
    room = Room(house, application, http__token_file=str(secret))
    assert room.process.wait() == 2
    assert re.search(r"token.*others than its owner may read it", room.process.output())


def test_an_unknown_authority_is_refused(house, certificate):
    app = Application(tls=certificate.context)
    try:
        room = Room(house, app, scheme="https", **PATIENT)
        room.says(r"fails: .*\(GET /app/status: .*certificate.*http\.ca_file", 30)
        assert not app.seen()
        room.end()
        room = Room(house, app, scheme="https", **PATIENT, http__ca_file=str(certificate.file))
        room.says(r"HOLD 10 ")
        room.end()
        room = Room(house, app, scheme="https", http__ca_file=str(house.directory / "missing.pem"))
        assert room.process.wait() == 2
        assert re.search(r"http\.ca_file \(.*missing\.pem\): No such file", room.process.output())
    finally:
        app.close()


def test_a_certificate_of_our_own_is_shown(house, certificate):
    own = make_certificate(house.directory, "client")
    own.key.chmod(0o600)
    certificate.context.load_verify_locations(own.file)
    certificate.context.verify_mode = ssl.CERT_REQUIRED
    app = Application(tls=certificate.context)
    trusting = PATIENT | {"http__ca_file": str(certificate.file)}
    shown = {"http__cert_file": str(own.file), "http__key_file": str(own.key)}
    try:
        room = Room(house, app, scheme="https", **trusting)
        room.says(r"fails: ", 30)
        assert not app.seen()
        room.end()
        room = Room(house, app, scheme="https", **trusting, **shown)
        room.says(r"HOLD 10 ")
        room.end()
        own.key.chmod(0o640)
        room = Room(house, app, scheme="https", **trusting, **shown)
        assert room.process.wait() == 2
        assert re.search(r"http\.key_file \(.*client\.key\): others than its owner may read it", room.process.output())
    finally:
        app.close()


@pytest.mark.quick
def test_an_address_is_needed(house):
    status, output = house.run([program("ascale-tui"), "--headless", "-s", "scaling.target=http"])
    assert status == 2 or status == 1
    assert "app_url" in output
