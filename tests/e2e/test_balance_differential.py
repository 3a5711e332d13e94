# SPDX-License-Identifier: MIT
"""The same random valid traffic through ascale-balance, through nginx and direct give the same status and body."""

import hashlib
import itertools
import os
import random
import re
import shutil
import socket
import threading
import time

import pytest

from balancing import Backend, Balancer, read_answer
from house import SLOW, free_port, wait_until, accepts

NGINX = """
{user} daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx.err;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f;
    uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://{backend}; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


def answer(seen):
    """Decided by the request alone, so that it is the same whichever way it came."""
    method, target = seen.line.split()[:2]
    mark = hashlib.sha256(method + target + seen.body + b"".join(seen.values("X-Case"))).digest()
    status = [b"200 OK", b"201 Created", b"404 Not Found", b"204 No Content", b"302 Found", b"500 Oops"][mark[0] % 6]
    body = mark * (int.from_bytes(mark[1:3], "big") % 3000)
    head = b"HTTP/1.1 " + status + b"\r\nX-Mark: " + mark.hex().encode() + b"\r\n"
    if status.startswith(b"204"):
        return head + b"\r\n"
    if method == b"HEAD":
        return head + b"Content-Length: %d\r\n\r\n" % len(body)
    if mark[3] % 2:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    cut = mark[4] * 100 + 1
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[at:at + cut]), body[at:at + cut]) for at in range(0, len(body), cut))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def draw(chance):
    """A random valid request: (method, bytes)."""
    method = chance.choice(["GET", "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"])
    target = "/" + "".join(chance.choice("abc/.-_~%41;=&") for _ in range(chance.randrange(30))).replace("%", "%2")
    target = target.replace("%2", "%20") + chance.choice(["", "?", "?q=" + "x" * chance.randrange(200), "?a[]={b}|c"])
    head = f"{method} {target} HTTP/1.1\r\nHost: example.test\r\nX-Case: {chance.random()}\r\n".encode()
    for number in range(chance.randrange(6)):
        value = "".join(chance.choice("abc \t;,=\"") for _ in range(chance.randrange(60))).strip()
        head += f"X-Field-{number}:{' ' * chance.randrange(3)}{value}\r\n".encode()
    body = chance.randbytes(chance.choice([0, 1, 100, 5000, 70000]))
    if method not in ("POST", "PUT", "PATCH"):
        return method, head + b"\r\n"
    if chance.random() < 0.5:
        return method, head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    while body:
        size = chance.randrange(1, 20000)
        piece, body = body[:size], body[size:]
        chunked += b"%x\r\n%s\r\n" % (len(piece), piece)
    return method, chunked + b"0\r\n\r\n"


class Group:
    """Requests of one connection: pipelined, one after the other, or a single one that asks to close; sent at once or
    in pieces with pauses."""

    def __init__(self, chance):
        self.requests = [draw(chance) for _ in range(chance.randint(1, 4))]
        self.pipelined = chance.random() < 0.5
        if chance.random() < 0.3:
            method, data = self.requests.pop()
            self.requests = [(method, data.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))]
        self.cuts = sorted(chance.random() for _ in range(chance.choice([0, 0, 0, 3, 20])))

    def send(self, connection, data):
        for start, end in itertools.pairwise([0, *(int(cut * len(data)) for cut in self.cuts), len(data)]):
            connection.sendall(data[start:end])
            if self.cuts:
                time.sleep(0.001)

    def ask(self, port):
        """(status, mark, body) of every request."""
        answers = []
        with socket.create_connection(("127.0.0.1", port), timeout=20 * SLOW) as connection:
            stream = connection.makefile("rb")
            if self.pipelined:
                sender = threading.Thread(target=self.send, args=(connection, b"".join(data for _, data in self.requests)))
                sender.start()
            for method, data in self.requests:
                if not self.pipelined:
                    self.send(connection, data)
                status, head, body = read_answer(stream, method)
                answers.append((status, re.findall(rb"(?m)^X-Mark: (\w+)", head), body))
            if self.pipelined:
                sender.join()
        return answers


def test_the_same_traffic_gives_the_same_answers_every_way(house):
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    backend = Backend(answer)
    balancer = Balancer(house, [backend], "--eject-failures", "0")
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    config = house.directory / "nginx.conf"
    config.write_text(NGINX.format(user=user, dir=house.directory, port=port, backend=backend.address))
    house.spawn(["nginx", "-p", house.directory, "-c", config, "-e", house.directory / "nginx.err"])
    wait_until(lambda: accepts(port))
    chance = random.Random(2026)
    for group in [Group(chance) for _ in range(150)]:
        direct = group.ask(backend.port)
        assert group.ask(balancer.port) == direct
        assert group.ask(port) == direct
