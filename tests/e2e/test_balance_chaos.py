# SPDX-License-Identifier: MIT
"""Everything at once: backends that fail in every way, clients that leave in every way, and a controller that changes
its mind all the time. Afterwards nothing is left under way, and both sides have counted the same."""

import collections
import random
import socket
import threading
import time

import pytest

from balancing import Backend, Control, read_answer
from house import SLOW, program, wait_until

SECONDS = 5
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"


def unruly(seed):
    """A backend that mostly answers."""
    chance = random.Random(seed)

    def answer(head):
        body = b"y" * chance.choice([0, 5, 1000, 70000, 300000])
        length = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        kind = chance.random()
        if head.startswith(b"HEAD"):
            return length
        if kind < 0.1:
            return b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"
        if kind < 0.5:
            return length + body
        out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while body:
            size = chance.randrange(1, 30000)
            out += b"%x\r\n%s\r\n" % (len(body[:size]), body[:size])
            body = body[size:]
        return out + b"0\r\n\r\n"

    def serve(peer):
        while head := peer.head():
            kind = chance.random()
            if kind < 0.02:
                return
            if kind < 0.04:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")
                peer.reset()
                return
            if peer.body(head) is None:
                return
            if UPGRADE in head:
                peer.send(b"HTTP/1.1 101 On\r\n" + UPGRADE + b"\r\n" + b"z" * chance.randrange(100_000))
                while peer.fill():
                    peer.unread = b""
                return
            peer.send(answer(head))
            if chance.random() < 0.05:
                return

    return Backend(serve=serve)


class Client(threading.Thread):
    def __init__(self, port, seed, stop):
        super().__init__(daemon=True)
        self.port, self.chance, self.stop = port, random.Random(seed), stop
        self.answers = collections.Counter()

    def run(self):
        while not self.stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=20 * SLOW) as connection:
                    stream = connection.makefile("rb")
                    while self.visit(connection, stream) and self.chance.random() < 0.7:
                        pass
            except (OSError, ValueError):
                self.answers["cut"] += 1

    def visit(self, connection, stream):
        """One request, or three, or something worse; false: this connection is done with."""
        kind = self.chance.choice(["GET", "HEAD", "POST", "chunked", "three", "half", "tunnel", "abort"])
        host = b"Host: a\r\nCookie: ascale-instance=%016x\r\n" % self.chance.randrange(5)
        body = b"b" * self.chance.choice([0, 10, 5000, 200_000])
        if kind == "tunnel":
            connection.sendall(b"GET / HTTP/1.1\r\n" + host + UPGRADE + b"\r\n" + b"q" * self.chance.randrange(5000))
            return False
        if kind == "abort":
            connection.sendall(b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 300000\r\n\r\n" + body)
            return False
        if kind == "POST":
            connection.sendall(b"POST / HTTP/1.1\r\n" + host + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        elif kind == "chunked":
            chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            connection.sendall(b"PUT / HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n")
        else:
            method = b"HEAD" if kind == "HEAD" else b"GET"
            connection.sendall((method + b" / HTTP/1.1\r\n" + host + b"\r\n") * (3 if kind == "three" else 1))
        if kind == "half":
            connection.shutdown(socket.SHUT_WR)
        for _ in range(3 if kind == "three" else 1):
            answer = read_answer(stream, kind)
            if answer is None:
                return False
            self.answers[answer[0]] += 1
        return kind != "half"


def change_something(control, chance, backends):
    kind = chance.random()
    if kind < 0.5:
        chosen = [backend for backend in backends if chance.random() < 0.6]
        control.backends(*chosen, drain=[name for name, _ in chosen if chance.random() < 0.2])
    elif kind < 0.7:
        algorithm = chance.choice(["round_robin", "least_in_flight", "p2c_ewma", "sticky"])
        assert control.command("set", key="algorithm", value=algorithm)["ok"]
    elif kind < 0.8:
        assert control.command("set", key="max_in_flight", value=chance.choice(["0", "1", "3"]))["ok"]
    elif kind < 0.9:
        assert control.command("set", key="hold_when_empty", value=chance.choice(["yes", "no"]))["ok"]
    else:
        control.stats()


@pytest.mark.threads
def test_chaos_leaves_nothing_behind_and_every_answer_counted(house):
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    path, fd = str(house.directory / "sock"), listener.fileno()
    process = house.spawn(
        [program("ascale-balance"), f"--listen-fd={fd}", f"--control={path}", "--threads=3", "--queue-timeout=300ms",
         "--response-timeout=5s", "--body-timeout=1s", "--header-timeout=1s", "--eject-time=300ms"], pass_fds=[fd])
    control = Control(path)
    backends = [(f"i{number}", unruly(number)) for number in range(5)] + [("dead", Backend())]
    backends[-1][1].close()
    stop, chance = threading.Event(), random.Random(7)
    clients = [Client(listener.getsockname()[1], number, stop) for number in range(12)]
    for client in clients:
        client.start()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        change_something(control, chance, backends)
        time.sleep(chance.random() * 0.05)
    stop.set()
    for client in clients:
        client.join()

    def quiet():
        total = control.stats()["total"]
        return total if total["in_flight"] == total["queue"] == total["connections"] == 0 else None

    total = wait_until(quiet, 20, "the balancer to settle")
    seen = sum((client.answers for client in clients), collections.Counter())
    assert seen[200] > 100
    # Each side may know of answers that the other has seen cut.
    assert abs(total["responses"]["2xx"] - seen[200]) <= seen["cut"]
    assert abs(total["responses"]["5xx"] - seen[500]) <= seen["cut"]
    assert process.terminate() == 0
