# SPDX-License-Identifier: MIT
"""What the tests of ascale-load share: servers of their own, the generator under orders, its fixtures."""

import contextlib
import json
import re
import socket
import subprocess
import threading

import pytest

from house import program, wait_until

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
