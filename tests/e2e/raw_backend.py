# SPDX-License-Identifier: MIT
"""A backend that records every byte it is sent, and answers with bytes of the test's choosing.

One thread a connection. `records` holds one Record a connection, in the order of their arrival; a record's
`data` grows as bytes come in. What it answers is decided by `answer(head)`, called once a request head.
"""
import socket
import threading


class Record:
    def __init__(self):
        self.data = b""
        self.closed = False


def split_head(data):
    """The first complete head in data and what follows it, or (None, data)."""
    end = data.find(b"\r\n\r\n")
    return (None, data) if end < 0 else (data[: end + 4], data[end + 4 :])


def header(head, name):
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name.lower():
            return value.strip()
    return None


def take_body(head, rest):
    """(body, what follows) once the body that head announces is complete, else None."""
    length = header(head, b"content-length")
    if length is not None:
        need = int(length)
        return (rest[:need], rest[need:]) if len(rest) >= need else None
    if (header(head, b"transfer-encoding") or b"").lower() == b"chunked":
        body = b""
        while True:
            line, mark, rest = rest.partition(b"\r\n")
            if not mark:
                return None
            size = int(line, 16)
            if size == 0:
                trailer_end = (b"\r\n" + rest).find(b"\r\n\r\n")
                return None if trailer_end < 0 else (body, rest[trailer_end + 2 :])
            if len(rest) < size + 2:
                return None
            body, rest = body + rest[:size], rest[size + 2 :]
    return (b"", rest)


def requests_in(data):
    """The complete requests in data as (head, body), and whether bytes of an incomplete one are left."""
    found = []
    while True:
        head, rest = split_head(data)
        if head is None:
            return found, bool(data)
        taken = take_body(head, rest)
        if taken is None:
            return found, True
        body, data = taken
        found.append((head, body))


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class RawBackend:
    def __init__(self, answer=None, close_after_answer=False, step=1 << 20):
        self.answer = answer or (lambda head: OK)
        self.step = step
        self.close_after_answer = close_after_answer
        self.records = []
        self.lock = threading.Lock()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]
        self.open = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            record = Record()
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.records.append(record)
                self.open.append(conn)
            threading.Thread(target=self._serve, args=(conn, record), daemon=True).start()

    def _serve(self, conn, record):
        answered = 0
        try:
            while True:
                data = conn.recv(65536)
                if not data:
                    break
                record.data += data
                if b"Expect: 100-continue" in record.data and answered == 0 and split_head(record.data)[1] == b"":
                    conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                done, _ = requests_in(record.data)
                for head, _ in done[answered:]:
                    answered += 1
                    reply = self.answer(head)
                    for at in range(0, len(reply or b""), self.step):
                        conn.sendall(reply[at : at + self.step])
                    if self.close_after_answer:
                        conn.shutdown(socket.SHUT_WR)
                        return
        except (OSError, ValueError):
            pass
        finally:
            record.closed = True
            conn.close()

    def seen(self, token):
        """Every complete request whose head holds token, and whether an incomplete one does."""
        complete, partial = [], False
        with self.lock:
            datas = [r.data for r in self.records]
        for data in datas:
            try:
                done, _ = requests_in(data)
            except ValueError:
                done = []
            matching = [r for r in done if token in r[0]]
            complete += matching
            partial = partial or (token in data and not matching)
        return complete, partial

    def stop(self):
        self.listener.close()
        with self.lock:
            for conn in self.open:
                try:
                    conn.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
