# SPDX-License-Identifier: MIT
"""Busy is not dead, all sick is not all dead, nothing is given up for ever (FAULTS 38 to 41), with a real Gunicorn."""

import re
import threading
import time

import pytest

from headless import Traffic
from house import SLOW, command_line, program, request, try_request, wait_until

WSGI = """
import os, time
from urllib.parse import parse_qs

SICK = os.environ.get("SICK_FILE", "")

def app(environ, start):
    query = parse_qs(environ["QUERY_STRING"])
    time.sleep(float(query.get("sleep", ["0"])[0]))
    sick = environ["PATH_INFO"] == "/health" and os.path.exists(SICK)
    start("503 Service Unavailable" if sick else "200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\\n"]
"""

# One that does one thing at a time, and nothing any more after /hang.
HANGER = """
import http.server, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/hang":
            time.sleep(3600)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def gunicorn(room, house):
    (house.directory / "busy.py").write_text(WSGI)

    def start(words, **settings):
        return room({
            "app.command": f"/usr/bin/python3 -m gunicorn.app.wsgiapp {words} "
                           "-b 127.0.0.1:{port} --timeout 120 busy:app",
            "app.directory": house.directory, "app.start_timeout": "60s", "app.health_timeout": f"{300 * SLOW:g}ms",
            "scaling.stabilization": "1s", **{name.replace("__", "."): value for name, value in settings.items()}})

    return start


def ask_all(port, path, count):
    """So many requests at once; the statuses, 0 for none."""
    statuses = []

    def ask():
        answer = try_request(port, path, timeout=60)
        statuses.append(answer.status if answer else 0)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, statuses


def test_39_a_single_worker_at_a_long_request_is_busy_and_gets_company(gunicorn):
    control = gunicorn("--workers 1", scaling__max_instances=2)
    worker = control.wait_ready(1, 60)[0]
    threads, statuses = ask_all(control.port, f"/?sleep={6 * SLOW:g}", 1)
    control.wait_for(rf"i1 \(pid {worker}\) is busy: its health checks wait behind its requests")
    control.wait_for(r" UP 1>2 ", 10)
    threads[0].join()
    assert statuses == [200]
    control.wait_for(r"answers its checks again")
    assert worker in control.ready() and control.count("killing") == 0
    assert control.stop() == 0


def test_39_more_requests_than_threads_everywhere_kill_nobody(gunicorn):
    control = gunicorn("--workers 1 --threads 4", scaling__min_instances=3, scaling__max_instances=4)
    control.wait_ready(3, 60)
    began = time.monotonic()
    threads, statuses = ask_all(control.port, f"/?sleep={2 * SLOW:g}", 30)
    control.wait_for(r" UP 3>4 ", 10)
    assert time.monotonic() - began < 10 * SLOW
    for thread in threads:
        thread.join()
    assert statuses == [200] * 30
    assert control.count("killing") == 0
    assert control.stop() == 0


def test_38_checks_that_fail_everywhere_cost_no_user_a_request(gunicorn, house):
    sick = house.directory / "sick"
    control = gunicorn("--workers 1 --threads 2", scaling__min_instances=3, scaling__max_instances=3,
                       **{"app.env.SICK_FILE": sick})
    pids = control.wait_ready(3, 60)
    with Traffic(control.port) as traffic:
        traffic.wait_for_more()
        sick.touch()
        control.wait_for(r"fewer than 50% are ready: those that are not, but answer, get requests all the same")
        wait_until(lambda: control.count("fails its health checks") == 3, 10, "all three unready")
        traffic.wait_for_more(200, 30)
        sick.unlink()
        control.wait_for("enough are ready again")
        wait_until(lambda: control.count("healthy again") == 3, 10, "all three ready")
        traffic.wait_for_more()
    assert traffic.failures == []
    assert control.ready() == pids and control.count("killing") == 0
    assert control.stop() == 0


def test_40_a_dependency_that_is_away_for_long_ends_nothing_for_good(room, house):
    there = house.directory / "there"
    script = house.directory / "needs"
    script.write_text(f'#!/bin/sh\n[ -e {there} ] || {{ echo no database >&2; exit 7; }}\n'
                      f'exec {program("ascale-app")} --port "$1"\n')
    script.chmod(0o755)
    control = room({"app.command": f"{script} {{port}}", "app.restart_delay_max": "500ms"})
    control.wait_for(r"exit status 7 after \S+; 6 failures in a row, next try in")
    tries = control.count("exit status 7")
    assert tries == 6
    there.touch()
    control.wait_ready(1, 10)
    assert control.get().status == 200
    assert control.stop() == 0


def test_41_a_request_that_kills_whoever_serves_it_ends_nothing_for_good(room):
    control = room({"app.restart_delay_max": "500ms", "scaling.min_instances": "2"})
    control.wait_ready(2)
    for _ in range(12):
        try_request(control.port, "/crash", timeout=20)
    control.wait_ready(2, 20)
    with Traffic(control.port) as traffic:
        traffic.wait_for_more(50)
    assert traffic.failures == []
    assert control.stop() == 0


def test_one_that_hangs_for_good_is_ended_when_it_was_waited_for_in_vain(room, house):
    (house.directory / "hanger.py").write_text(HANGER)
    control = room({"app.command": "/usr/bin/python3 hanger.py {port}", "app.directory": house.directory,
                    "app.unresponsive_timeout": f"{2 * SLOW:g}s", "balancer.response_timeout": f"{3 * SLOW:g}s",
                    "scaling.max_instances": "1"})
    pid = control.wait_ready(1)[0]
    assert request(control.port, "/hang", timeout=30).status == 504
    assert control.count("killing") == 0, "it was given its time"
    control.wait_for(rf"i1 \(pid {pid}\) is not alive any more \(no sign of life for \S+\); killing it", 20)
    wait_until(lambda: control.ready() not in ([], [pid]), 20, "its successor")
    assert control.get().status == 200
    assert control.stop() == 0


def test_liveness_ends_what_says_that_it_is_beyond_help(room):
    control = room({"app.health_path": "/", "app.liveness_path": "/health", "scaling.min_instances": "2"})
    first = control.wait_ready(2)[0]
    port = int(re.search(r"--port (\d+)", command_line(first)).group(1))
    assert try_request(port, "/fail?on=1")
    control.wait_for(rf"\(pid {first}\) is not alive any more \(GET /health: status 5\d\d\); killing it")
    wait_until(lambda: len(control.ready()) == 2 and first not in control.ready(), 20, "its successor")
    assert control.stop() == 0
