# SPDX-License-Identifier: MIT
"""Whether ascale-load keeps the rate that it is asked for, and says so where it cannot."""

import json
import re
import signal
import subprocess
import threading
import time

import pytest

from house import SLOW, program, wait_until
from loading import OK


@pytest.mark.quick
@pytest.mark.parametrize("timing", ["--even", "--poisson"])
def test_open_loop_keeps_the_rate(serve, load, timing):
    server = serve()
    _, summary = load("--rate", "400/s", timing, "--duration", "2s", "--url", server.url)
    assert summary["asked_rate"] == pytest.approx(400, rel=0.01 if timing == "--even" else 0.2)
    # Late answers of a busy machine stretch the time; how near it comes on a quiet one is for tests/bench.
    assert 0.5 < summary["achieved_rate"] / summary["asked_rate"] < 1.02
    assert summary["requests"] == len(server.requests) and summary["errors"] == 0
    assert summary["requests"] + summary["missed"] == pytest.approx(800, abs=2 if timing == "--even" else 160)


def test_open_loop_does_not_hide_a_stall(serve, load):
    """One connection and a server that stalls once: those due meanwhile were late, and latency says so."""
    server = serve(lambda request, number: time.sleep(0.5) or OK if number == 20 else OK)
    _, summary = load("--rate", "100/s", "--connections", 1, "--duration", "2s", "--url", server.url)
    # A busy machine may not be through with them at the end.
    assert summary["requests"] + summary["missed"] == pytest.approx(200, abs=2)
    assert summary["latency_us"]["p90"] > 200_000
    assert 450_000 < summary["latency_us"]["max"] < 5_000_000 * SLOW


def test_a_rate_far_beyond_the_machine_ends_in_time(load):
    """Nothing of it can even be sent, so each start fails at once: the backlog must not hold up the end."""
    began = time.monotonic()
    status, summary = load("--rate", "10000k/s", "--duration", "1s", "--url", "http://255.255.255.255:1/")
    assert time.monotonic() - began < 5 * SLOW
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


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "timeouts"])
def test_a_rate_that_was_kept_names_no_limit(serve, house, answered):
    """Late by chance as each start may be: what was asked for was sent."""
    gate = threading.Event()
    server = serve(lambda request, number: OK if answered else gate.wait() and None)
    _, output = house.run([program("ascale-load"), "--rate", "15", "--duration", "2s", "--timeout", "200ms", "--quiet",
                           "--url", server.url])
    gate.set()
    assert "the generator itself" not in output and len(server.requests) >= 29


def test_a_moment_on_the_cpu_is_no_limit(load):
    """Of a run that is over before it began, its own end is all that it did, and by chance all on the CPU."""
    assert not any(load("--duration", "1us", "--url", "https://127.0.0.1:1/")[1]["generator_limited"] for _ in range(60))


def test_what_was_asked_is_not_what_the_server_gives(serve, house, load):
    """A number of requests, all of which start in the end: the wait for a free connection is no lower rate."""
    server = serve(lambda request, number: time.sleep(0.2) or OK)
    _, summary = load("--rate", "100", "--connections", 10, "--requests", 100, "--url", server.url)
    assert summary["asked_rate"] == pytest.approx(100, rel=0.001)
    assert summary["missed"] == 0 and summary["achieved_rate"] <= 50.5
    assert summary["held"] + summary["late"] >= 50
    _, output = house.run([program("ascale-load"), "--rate", "100", "--connections", 10, "--requests", 100, "--quiet",
                           "--url", server.url])
    assert re.search("WARNING     the (rate was not kept|generator itself was the limit)", output)


def test_what_was_asked_ends_with_a_signal(serve, spawn):
    """The wait for the answers in flight is no time in which anything was asked for."""
    server = serve(lambda request, number: time.sleep(1) or OK)
    process = spawn([program("ascale-load"), "--infinite", "--rate", "50", "--json", "--url", server.url])
    wait_until(lambda: len(server.requests) >= 50)
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    summary = json.JSONDecoder().raw_decode(process.output()[process.output().index("{"):])[0]
    assert summary["asked_rate"] == pytest.approx(50, rel=0.05)


def test_rows_say_what_was_asked_while_they_counted(serve, spawn):
    """A ramp's middle, and nothing once the sending is over, however long the last answers take."""
    gate = threading.Event()
    server = serve(lambda request, number: number < 80 and OK or gate.wait() and OK)
    process = spawn([program("ascale-load"), "--csv", "--rate", "100", "--shape", "ramp,low=0%,over=2s",
                     "--duration", "2s", "--grace", "100s", "--timeout", "100s", "--url", server.url])
    process.wait_for(r"\A.*\n(.*\n){4}")
    gate.set()
    assert process.wait() == 0
    rows = [[float(value or 0) for value in row.split(",")] for row in process.output().splitlines()[1:]]
    before = 0
    for elapsed, asked in [(row[0], row[5]) for row in rows]:
        end = min(elapsed, 2)
        expected = 50 * (before + end) / 2 * (end - before) / (elapsed - before) if end > before else 0
        assert asked == pytest.approx(expected, abs=0.5), process.output()
        before = elapsed
    assert rows[-1][5] == 0


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


def test_a_trace_may_come_through_a_pipe(serve):
    server = serve()
    ended = subprocess.run([program("ascale-load"), "--trace", "/dev/stdin", "--requests", "5", "--json", "--url",
                            server.url], input=b"0,100\n60,100\n", capture_output=True, timeout=20 * SLOW)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["requests"] == len(server.requests) == 5


def test_a_closed_loop_follows_a_shape_by_its_users(serve, load):
    busy = []
    server = serve(lambda request, number: busy.append(len(server.open)) or time.sleep(0.02) or OK)
    load("--threads", 8, "--shape", "step,low=25%,at=700ms", "--duration", "1500ms", "--url", server.url)
    assert max(busy[:10]) == 2 and max(busy) == 8


def test_one_connection_keeps_the_rate_under_orders_too(serve, controlled):
    server = serve()
    run = controlled(server.url, "--rate", "100", "--connections", 1)
    event = run.wait_for(lambda event: event["elapsed_s"] > 1.9)
    run.order('{"cmd":"stop"}')
    assert run.popen.wait(10 * SLOW) == 0
    assert event["requests"] > 70 * event["elapsed_s"] and server.connections == 1


@pytest.mark.parametrize("how", [["--rate", "200"], ["--threads", "3"]])
def test_a_number_of_requests_that_never_comes_due_is_no_reason_to_wait(serve, house, how):
    """After a single spike from nothing there is nothing more to come, ever."""
    server = serve(lambda request, number: time.sleep(0.02) or OK)
    status, output = house.run([program("ascale-load"), *how, "--shape", "spike,low=0,at=100ms,for=200ms", "--requests",
                                100_000, "--quiet", "--url", server.url])
    assert status == 0 and len(server.requests) <= 40
    never = int(re.search(r"^ascale-load: the spike is over, so (\d+) of 100000 requests were never due$", output,
                          re.M).group(1))
    assert 99_960 <= never <= 100_000 - len(server.requests)


def test_a_spike_that_has_room_for_all_requests_is_no_complaint(serve, house):
    server = serve()
    status, output = house.run([program("ascale-load"), "--rate", 100, "--shape", "spike,low=0,at=0,for=60s", "--requests",
                                10, "--quiet", "--url", server.url])
    assert status == 0 and len(server.requests) == 10 and "spike" not in output


def test_a_rate_far_below_its_wave_is_found_at_once(serve, house):
    """An hour of waves of a millisecond lies before the second request."""
    server = serve()
    status, _ = house.run([program("ascale-load"), "--rate", "1/h", "--shape", "sine,period=1ms", "--duration", "100ms",
                           "--quiet", "--url", server.url], deadline=5)
    assert status == 0 and len(server.requests) <= 1


@pytest.mark.parametrize("duration", ["30ms", "150ms"])
def test_a_short_run_asks_for_no_more(serve, load, duration):
    server = serve()
    _, summary = load("--rate", "10/s", "--duration", duration, "--url", server.url)
    assert summary["asked_rate"] == pytest.approx(10, rel=0.001)
