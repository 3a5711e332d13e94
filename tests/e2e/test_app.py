# SPDX-License-Identifier: MIT
"""ascale-app: what it serves, how it misbehaves when told to, and how it stops."""

import fcntl
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time
import urllib.request

import pytest

from house import SLOW, SOURCE, accepts, program, raw_request, request, try_request, wait_until


@pytest.fixture
def app(spawn):
    """Starts an application; the process knows its port."""

    def start(*options, port=0):
        process = spawn([program("ascale-app"), "--port", port, *options])
        process.port = int(process.wait_for(r"listening on https?://\S+:(\d+)$").group(1))
        return process

    return start


def requests_of(process):
    return json.loads(request(process.port, "/requests").text)["requests"]


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def in_background(function, *arguments, **named):
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*arguments, **named)), daemon=True)
    thread.start()
    return thread, results


@pytest.mark.quick
def test_root_shows_pid_port_and_requests(app):
    process = app()
    assert request(process.port).text == f"ascale-app pid {process.pid} port {process.port} requests 1\n"
    assert "requests 2" in request(process.port).text
    assert requests_of(process) == 2


def test_health_and_the_counter_are_not_counted(app):
    process = app("--work", "0")
    for _ in range(3):
        assert request(process.port, "/health").status == 200
    request(process.port)
    assert requests_of(process) == requests_of(process) == 1


def test_work_is_cpu_time_and_delay_is_not(app):
    worker = app("--work", "100ms")
    before = cpu_seconds(worker.pid)
    for _ in range(5):
        request(worker.port)
    assert 0.45 <= cpu_seconds(worker.pid) - before <= 1.0

    waiter = app("--work", "0", "--delay", "200ms")
    before, began = cpu_seconds(waiter.pid), time.monotonic()
    for _ in range(3):
        request(waiter.port)
    assert time.monotonic() - began >= 0.6
    assert cpu_seconds(waiter.pid) - before <= 0.2


def test_a_hanging_page_does_not_hold_up_health(app):
    process = app()
    threads = [in_background(try_request, process.port, "/hang", timeout=60)[0] for _ in range(8)]
    wait_until(lambda: requests_of(process) == 8)
    assert request(process.port, "/health", timeout=2).status == 200
    assert process.terminate() == 0
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.quick
def test_fail_switch_sticks_until_it_is_taken_back(app):
    process = app("--work", "0")
    assert request(process.port, "/fail").status == 500
    assert request(process.port).status == 200
    assert request(process.port, "/fail?on=1").status == 200
    assert (request(process.port).status, request(process.port, "/health").status) == (500, 503)
    request(process.port, "/fail?on=requests")
    assert (request(process.port).status, request(process.port, "/health").status) == (500, 200)
    request(process.port, "/fail?on=0")
    assert (request(process.port).status, request(process.port, "/health").status) == (200, 200)
    assert request(process.port, "/fail?on=maybe").status == 400


def test_fail_after_a_number_of_requests(app):
    process = app("--work", "0", "--fail-after", "2")
    assert [request(process.port).status for _ in range(4)] == [200, 200, 500, 500]
    assert request(process.port, "/health").status == 503


def test_fail_after_a_time(app):
    process = app("--work", "0", "--fail-after", "300ms")
    wait_until(lambda: request(process.port).status == 500)
    assert request(process.port, "/health").status == 503


@pytest.mark.parametrize("options, provoke", [
    (["--crash-after", "1"], lambda port: [try_request(port) for _ in range(2)]),
    (["--crash-after", "200ms"], lambda port: None),
    ([], lambda port: try_request(port, "/crash")),
])
def test_crash_is_a_signal(app, options, provoke):
    process = app("--work", "0", *options)
    provoke(process.port)
    assert process.wait() == -signal.SIGABRT


def test_slow_start_answers_503_then_serves(app):
    process = app("--work", "0", "--slow-start", f"{2 * SLOW:g}s")
    assert request(process.port, "/health").status == 503
    assert request(process.port).status == 503
    wait_until(lambda: request(process.port, "/health").status == 200)
    assert request(process.port).status == 200


def test_slow_start_can_refuse_connections(app):
    process = app("--work", "0", "--slow-start", f"{2 * SLOW:g}s", "--slow-start-mode", "refuse")
    assert not accepts(process.port)
    wait_until(lambda: accepts(process.port))
    assert request(process.port).status == 200


def test_ignore_term(app):
    process = app("--work", "0", "--ignore-term")
    process.signal(signal.SIGTERM)
    for _ in range(5):
        assert request(process.port).status == 200
    process.signal(signal.SIGINT)
    assert process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_lets_requests_in_flight_finish(app, number):
    process = app()
    thread, results = in_background(request, process.port, "/slow?ms=800")
    wait_until(lambda: requests_of(process) == 1)
    process.signal(number)
    assert process.wait() == 0
    thread.join()
    assert results and results[0].status == 200


def test_shared_lock_is_a_bottleneck_of_all_instances(app, tmp_path):
    lock = tmp_path / "lock"
    process = app("--work", "0", "--shared-lock", lock)
    assert request(process.port).status == 200
    with open(lock, "r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread, results = in_background(request, process.port)
        wait_until(lambda: requests_of(process) == 2)
        assert request(process.port, "/health").status == 200
        assert not results
    thread.join(10)
    assert results[0].status == 200


def test_chatty_writes_about_what_it_was_told(app):
    process = app("--chatty", "2")
    began = time.monotonic()
    wait_until(lambda: process.log.stat().st_size > 2_000_000)
    assert time.monotonic() - began >= 0.5
    assert process.terminate() == 0


def test_pages_with_numbers(app):
    process = app("--body-size", "5000", "--work", "0")
    assert len(request(process.port).body) == 5000
    assert len(request(process.port, "/bytes?n=12345").body) == 12345
    assert request(process.port, "/cpu?ms=1").status == 200
    for bad in ("/bytes?n=-1", "/bytes?n=99999999999", "/slow?ms=soon", "/cpu?ms="):
        assert request(process.port, bad).status == 400, bad
    assert request(process.port, "/nowhere").status == 404
    assert request(process.port, "/requests", method="DELETE").status == 405


def test_echo_and_the_cap_on_bodies(app):
    process = app()
    assert request(process.port, "/echo", method="POST", body=b"\0\xffbytes").body == b"\0\xffbytes"
    assert request(process.port, "/echo", method="POST", body=b"x" * (1 << 20)).status == 200
    chunks = (b"x" * 65536 for _ in range(32))
    assert request(process.port, "/echo", method="POST", body=chunks).status == 413
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n"
    assert raw_request(process.port, head, timeout=1).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("head", [
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
])
def test_ambiguous_requests_are_refused(app, head):
    process = app("--work", "0")
    assert raw_request(process.port, head, timeout=1).startswith(b"HTTP/1.1 400")
    assert requests_of(process) == 0


def test_what_it_logs_is_harmless(app):
    process = app("--work", "0", "--fail-after", "0")
    raw_request(process.port, b"GET /slow/%1b[2J%0d HTTP/1.0\r\n\r\n", timeout=1)
    request(process.port, "/")
    process.wait_for(r"^GET / 500 \d+ms$")
    assert b"\x1b" not in process.log.read_bytes()


@pytest.mark.parametrize("options, says", [
    (["--port", "70000"], "--port '70000': it takes 0 to 65535"),
    (["--work", "20"], "a duration such as"),
    (["--wrok", "20ms"], "unknown option '--wrok'; the nearest is --work"),
    (["--port"], "--port needs its N"),
    (["--quiet=yes"], "--quiet takes no value"),
    (["--tls-cert", "a.pem"], "go together"),
    (["extra"], "unexpected argument 'extra'"),
])
def test_usage_errors(house, options, says):
    status, output = house.run([program("ascale-app"), *options])
    assert status == 2
    assert says in output


def test_a_taken_port_is_a_failure_with_its_cause(house, app):
    port = app().port
    status, output = house.run([program("ascale-app"), "--port", port])
    assert status == 1
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in output


def test_help_and_version(house):
    status, output = house.run([program("ascale-app"), "--help"])
    assert status == 0 and "--simulate-fleet" in output
    status, output = house.run([program("ascale-app"), "--version"])
    assert status == 0 and re.fullmatch(r"ascale-app \d+\.\d+\.\d+\n", output)


def test_every_option_is_in_the_man_page(house):
    _, output = house.run([program("ascale-app"), "--help"])
    page = (SOURCE / "assets/man/ascale-app.1").read_text().replace("\\-", "-")
    options = set(re.findall(r"--[a-z][a-z0-9-]+", output))
    assert len(options) > 20
    assert [option for option in sorted(options) if option not in page] == []


@pytest.fixture
def twin(app):
    return lambda *options: app("--simulate-fleet", *options)


def put_replicas(port, body, **headers):
    return request(port, "/app/replicas", method="PUT", body=body,
                   headers={"Content-Type": "application/json", **headers})


def status_of(process):
    return json.loads(request(process.port, "/app/status").text)


@pytest.mark.quick
def test_twin_tells_cpu_and_replicas(twin):
    process = twin()
    answer = request(process.port, "/app/status")
    assert answer.headers["Content-Type"] == "application/json"
    status = json.loads(answer.text)
    assert set(status) == {"cpu", "replicas"} and set(status["cpu"]) == {"highPriority"}
    assert status["replicas"] == 10
    assert status["cpu"]["highPriority"] == pytest.approx(0.64, abs=0.03)


def test_twin_scales_after_its_boot(twin):
    process = twin("--boot", "36s", "--speed", "60")
    before = status_of(process)["cpu"]["highPriority"]
    assert json.loads(put_replicas(process.port, b'{"replicas": 20}').text) == {"replicas": 20}
    assert status_of(process)["replicas"] == 20
    assert status_of(process)["cpu"]["highPriority"] == pytest.approx(before, rel=0.1)
    wait_until(lambda: status_of(process)["cpu"]["highPriority"] < before * 0.6)
    put_replicas(process.port, b'{"replicas": 1}')
    assert status_of(process) == {"cpu": {"highPriority": 1.0}, "replicas": 1}
    process.wait_for(r"^replicas 20 -> 1$")


@pytest.mark.parametrize("body", [
    b'{"replicas": 0}', b'{"replicas": -3}', b'{"replicas": 1.5}', b'{"replicas": "5"}', b'{"replicas": 1001}',
    b'{"replicas": 2, "replicas": 3}', b'{"replicas": 99999999999999999999}', b"{}", b"[]", b"11", b"", b'{"replicas": 5',
])
def test_twin_refuses_bad_counts(twin, body):
    process = twin()
    answer = put_replicas(process.port, body)
    assert answer.status == 400 and "error" in json.loads(answer.text)
    assert status_of(process)["replicas"] == 10
    assert request(process.port, "/app/replicas").status == 405
    assert request(process.port, "/").status == 404


def test_twin_fails_the_share_it_was_told_and_repeats_by_seed(twin):
    def outcomes(seed):
        process = twin("--errors", "20%", "--seed", seed)
        answers = [try_request(process.port, "/app/status") for _ in range(400)]
        return [answer.status if answer else 0 for answer in answers]

    first = outcomes(5)
    assert 50 <= sum(status != 200 for status in first) <= 112
    assert {0, 500, 503} <= set(first)
    assert outcomes(5) == first != outcomes(6)


def test_twin_asks_for_its_token(twin):
    process = twin("--token", "s3cret")
    assert request(process.port, "/app/status").status == 401
    for wrong in ("Bearer s3creT", "Bearer s3cret2", "Basic s3cret", "Bearer"):
        assert request(process.port, "/app/status", headers={"Authorization": wrong}).status == 401
    assert put_replicas(process.port, b'{"replicas": 5}').status == 401
    assert put_replicas(process.port, b'{"replicas": 5}', Authorization="Bearer s3cret").status == 200
    assert request(process.port, "/health").status == 200


def test_twin_over_tls_takes_no_old_version(twin, certificate):
    process = twin("--tls-cert", certificate.file, "--tls-key", certificate.key)
    assert "https://127.0.0.1:" in process.output()
    context = ssl.create_default_context(cafile=certificate.file)
    with urllib.request.urlopen(f"https://127.0.0.1:{process.port}/app/status", context=context) as answer:
        assert json.load(answer)["replicas"] == 10
    for option in ("-tls1", "-tls1_1"):
        old = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{process.port}", option,
                              "-cipher", "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert "Cipher is (NONE)" in old.stdout


def test_a_key_of_another_certificate_is_refused(house, certificate, tmp_path):
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-out", other], check=True, capture_output=True)
    status, output = house.run([program("ascale-app"), "--tls-cert", certificate.file, "--tls-key", other])
    assert status == 1 and "is the key that of the certificate?" in output
    status, output = house.run([program("ascale-app"), "--tls-cert", certificate.file, "--tls-key", tmp_path / "none"])
    assert status == 1 and "cannot read" in output and "No such file" in output
