# SPDX-License-Identifier: MIT
"""What the tests of ascale-balance share: a backend that records every byte, the balancer, its control socket."""

import contextlib
import json
import os
import re
import socket
import threading

import pytest

from house import SLOW, program, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"  # an answer that nobody asked for


class Peer:
    """One connection as the backend sees it: reads requests, writes what it likes."""

    def __init__(self, backend, connection):
        self.backend, self.connection = backend, connection
        self.received = b""
        self.unread = b""

    def fill(self):
        try:
            data = self.connection.recv(65536)
        except OSError:
            data = b""
        self.received += data
        self.unread += data
        return bool(data)

    def head(self):
        """The next head with its empty line; None at the end of the connection."""
        while b"\r\n\r\n" not in self.unread:
            if not self.fill():
                return None
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def exactly(self, count):
        while len(self.unread) < count:
            if not self.fill():
                return None
        data, self.unread = self.unread[:count], self.unread[count:]
        return data

    def line(self):
        while b"\r\n" not in self.unread:
            if not self.fill():
                return None
        line, _, self.unread = self.unread.partition(b"\r\n")
        return line

    def body(self, head):
        """The body that the head announces, chunks joined and trailers dropped; None when it is cut."""
        length = re.search(rb"(?im)^content-length: *(\d+)\r$", head)
        if length:
            return self.exactly(int(length.group(1)))
        if not re.search(rb"(?im)^transfer-encoding: *chunked\r$", head):
            return b""
        body = b""
        while size := int(self.line() or b"0", 16):
            piece = self.exactly(size)
            if piece is None or self.line() != b"":
                return None
            body += piece
        while line := self.line():
            pass
        return None if line is None else body

    def send(self, data):
        with contextlib.suppress(OSError):
            self.connection.sendall(data)

    def close(self):
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()


class Request:
    def __init__(self, head, body):
        self.head, self.body = head, body
        self.line = head.split(b"\r\n", 1)[0]

    def values(self, name):
        """Of every field of that name."""
        return re.findall(rb"(?im)^" + name.encode() + rb": *(.*?)\r$", self.head)


class Refuser:
    """A port that is ours and refuses connections: bound, never listening, so that nobody else can take it."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"

    def close(self):
        self.socket.close()


class Silent:
    """A port whose connects are neither accepted nor refused: what may wait there does already."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.waiting = [socket.socket() for _ in range(4)]
        for connection in self.waiting:
            connection.setblocking(False)
            connection.connect_ex(self.socket.getsockname())


class Backend:
    """Answers by `answer(request)`: bytes; or by `serve(peer)`, which has the connection to itself."""

    def __init__(self, answer=lambda request: OK, serve=None, port=0, family=socket.AF_INET):
        self.answer, self.serve = answer, serve
        self.peers, self.requests = [], []
        self.changed = threading.Condition()
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.listener = socket.create_server((host, port), backlog=1024, family=family)
        self.port = self.listener.getsockname()[1]
        self.address = f"{host}:{self.port}" if family == socket.AF_INET else f"[{host}]:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(self, connection)
            self.peers.append(peer)
            threading.Thread(target=self.run, args=(peer,), daemon=True).start()

    def run(self, peer):
        with contextlib.suppress(OSError):
            if self.serve:
                self.serve(peer)
            else:
                self.loop(peer)
        peer.close()

    def loop(self, peer):
        while request := self.take(peer):
            data = self.answer(request)
            if data is None:
                return
            peer.send(data)

    def take(self, peer):
        """Reads and records one whole request; None at the end."""
        head = peer.head()
        if head is None:
            return None
        body = peer.body(head)
        if body is None:
            return None
        request = Request(head, body)
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        return request

    def received(self):
        return b"".join(peer.received for peer in self.peers)

    def close(self):
        """Refuses from now on, and cuts what is open."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for peer in self.peers:
            peer.close()


def slow_backend(gate):
    """It answers once the gate is open."""
    def answer(seen):
        gate.wait(20 * SLOW)
        return OK
    return Backend(answer)


class Balancer:
    def __init__(self, house, backends=(), *options, **spawning):
        self.socket = os.path.join(house.directory, "control")
        words = [program("ascale-balance"), "--port", "0"]
        for backend in backends:
            words += ["--backend", getattr(backend, "address", backend)]
        self.process = house.spawn(words + [str(word) for word in options], **spawning)
        self.port = int(self.process.wait_for(r"listening on http://127\.0\.0\.1:(\d+)$").group(1))

    def connect(self, timeout=10.0):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout * SLOW)


def read_answer(stream, method="GET"):
    """(status, head, body) of the next answer of a binary stream; None at its end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return None
        head += line
    status = int(head.split(b" ")[1])
    length = re.search(rb"(?im)^content-length: *(\d+)\r$", head)
    if status < 200 or status in (204, 304) or method == "HEAD":
        return status, head, b""
    if re.search(rb"(?im)^transfer-encoding: *chunked\r$", head):
        body = b""
        while size := int(stream.readline(), 16):
            body += stream.read(size)
            assert stream.readline() == b"\r\n"
        while stream.readline() != b"\r\n":
            pass
        return status, head, body
    return status, head, stream.read(int(length.group(1))) if length else stream.read()


class Control:
    """A controller's end of the control socket."""

    def __init__(self, path):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(10 * SLOW)
        wait_until(lambda: self.connection.connect_ex(path) == 0, what="the control socket")
        self.unread = b""
        self.events, self.descriptors = [], []
        self.id = 0

    def message(self):
        while b"\n" not in self.unread:
            data, descriptors, _, _ = socket.recv_fds(self.connection, 1 << 20, 4)
            assert data, "the balancer closed the control socket"
            self.descriptors += descriptors
            self.unread += data
        line, _, self.unread = self.unread.partition(b"\n")
        return json.loads(line)

    def command(self, cmd, **fields):
        """The reply; events that come before it are kept."""
        self.id += 1
        self.connection.sendall(json.dumps({"id": self.id, "cmd": cmd, **fields}).encode() + b"\n")
        while True:
            message = self.message()
            if message.get("reply") == self.id:
                return message
            self.events.append(message)

    def event(self, name, **fields):
        """The first event kept or coming that has these fields; it is not kept any more."""
        def wanted(message):
            return message.get("event") == name and all(message.get(key) == value for key, value in fields.items())

        for message in self.events:
            if wanted(message):
                self.events.remove(message)
                return message
        while True:
            message = self.message()
            if wanted(message):
                return message
            self.events.append(message)

    def backends(self, *backends, drain=()):
        listed = [{"id": name, "address": backend.address, "state": "drain" if name in drain else "ready"}
                  for name, backend in backends]
        reply = self.command("backends", backends=listed)
        assert reply["ok"], reply

    def stats(self):
        return self.command("stats")

    def close(self):
        self.connection.close()


class Supervised:
    """The listening socket is ours, as it is a controller's; balancers come and go on it."""

    def __init__(self, house, *options):
        self.house, self.options = house, options
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.path = str(house.directory / "balance.sock")
        self.start()

    def start(self):
        fd = self.listener.fileno()
        self.process = self.house.spawn(
            [program("ascale-balance"), f"--listen-fd={fd}", f"--control={self.path}", *self.options], pass_fds=[fd])
        self.process.wait_for("listening on")
        return Control(self.path)


@pytest.fixture
def supervised(house):
    return Supervised(house)
