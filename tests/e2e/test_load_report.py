# SPDX-License-Identifier: MIT
"""How ascale-load is steered, and what it says: progress, orders, summaries, exit status, usage."""

import contextlib
import json
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from house import SLOW, SOURCE, program, wait_until
from loading import OK


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


def test_a_number_of_requests_is_an_end_under_orders_too(serve, controlled):
    server = serve()
    run = controlled(server.url, "--threads", 1, "--requests", 10)
    assert run.popen.wait(10 * SLOW) == 0
    assert len(server.requests) == 10


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


@pytest.mark.parametrize("options, order", [
    ([], '{"cmd":"threads","value":500}'),
    (["--rate", "100", "--threads", "500"], '{"cmd":"rate","value":0}'),
], ids=["threads", "rate"])
def test_orders_for_more_users_than_open_files_are_refused(serve, options, order):
    """As at the start; what cannot be opened here would be counted as errors of the server."""
    server = serve()
    with subprocess.Popen(["prlimit", "--nofile=100:100", program("ascale-load"), "--threads", "2", *options, "--json",
                           "--requests", "1000000", "--control", "stdin", "--quiet", "--url", server.url], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            process.stdin.write(order + "\n")
            process.stdin.flush()
            assert "order refused: cannot keep 500 connections open" in process.stderr.readline()
            wait_until(lambda: len(server.requests) > 20)
            output, _ = process.communicate('{"cmd":"stop"}\n', timeout=20 * SLOW)
        finally:
            process.kill()
    assert process.returncode == 0 and json.loads(output)["errors"] == 0


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


@pytest.mark.parametrize("options", [["--infinite"], ["--duration", "600", "--json"], ["--duration", "600", "--quiet"]])
def test_a_reader_that_has_gone_ends_a_run_that_says_nothing_yet(serve, options):
    """As `| head -2` and `| true` do; progress goes the same way as the summary, or nowhere."""
    server = serve()
    with subprocess.Popen([program("ascale-load"), *options, "--threads", "1", "--url", server.url],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        wait_until(lambda: server.requests)
        process.stdout.close()
        try:
            assert process.wait(10 * SLOW) == 1
        finally:
            process.kill()


@pytest.mark.parametrize("kind", ["file", "null", "terminal", "pipe", "socket"])
def test_where_nobody_need_read_is_no_reason_to_end(serve, tmp_path, kind):
    server = serve()
    with contextlib.ExitStack() as stack:
        if kind == "file":
            out = stack.enter_context(open(tmp_path / "out", "wb"))
        elif kind == "null":
            out = subprocess.DEVNULL
        elif kind == "socket":
            ours, out = map(stack.enter_context, socket.socketpair())
            ours.shutdown(socket.SHUT_WR)  # says no more, but reads
        else:
            ends = os.openpty() if kind == "terminal" else os.pipe()
            for end in ends:
                stack.callback(os.close, end)
            out = ends[1]
        ended = subprocess.run([program("ascale-load"), "--requests", "300", "--threads", "1", "--quiet", "--url",
                                server.url], stdout=out, timeout=20 * SLOW)
    assert ended.returncode == 0 and len(server.requests) == 300


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
    rows = [[float(value) for value in row.split(",")[:3]] for row in output.splitlines()[1:]]
    assert status == 0 and len(rows) >= 2
    before = 0
    for elapsed, count, rate in rows:
        assert abs(rate * (elapsed - before) - count) <= 1 + 0.002 * rate, output  # elapsed has milliseconds
        before = elapsed


@pytest.mark.quick
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


def test_a_table_names_the_url_without_its_weight(serve, terminal):
    server = serve()
    term = terminal([program("ascale-load"), "--threads", 1, "--duration", "1500ms", "--url", f"{server.url}a@2"],
                    columns=70, lines=30)
    term.wait_for_text(rf"^00:00:01 of .*  {server.url}a *$")
    assert term.wait() == 0


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


@pytest.mark.quick
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


def test_a_percentile_without_the_unanswered_is_none(serve, house):
    """One in ten gets no answer at all, and who waits for one longest is not among the latencies."""
    server = serve(lambda request, number: OK if number % 10 else None)
    status, output = house.run([program("ascale-load"), "--requests", 100, "--threads", 1, "--quiet", "--expect-p99",
                                "10s", "--url", server.url])
    assert status == 1 and "10 of 100 requests got no answer" in output


def test_an_order_to_stop_a_load_that_was_never_answered_is_a_failure(serve, controlled):
    gate = threading.Event()
    server = serve(lambda request, number: gate.wait() and None)
    run = controlled(server.url, "--threads", 1)
    wait_until(lambda: server.requests)
    run.order('{"cmd":"stop"}')
    assert run.popen.wait(10 * SLOW) == 1
    gate.set()
    assert "no request was ever answered" in run.popen.stderr.read()


@pytest.mark.parametrize("options, says", [
    (["--url", "ftp://127.0.0.1/"], "is not a URL such as"),
    (["--url", "http://"], "is not a URL such as"),
    (["--url", "http://user:pass@host/"], "user names in URLs are not supported: ask host with --header 'Authorization: "),
    (["--url", "http://127.0.0.1:99999/"], "is not a URL such as"),
    (["--url", "http://127.0.0.1/a b"], "is not a URL such as"),
    (["--url", "http://127.0.0.1/@0"], "the weight of 'http://127.0.0.1/@0' is not above 0"),
    (["--url", "http://127.0.0.1/@-2"], "is not above 0"),
    (["--url", "https://127.0.0.1/", "--ca-file", "/nonexistent"], "cannot read CA file /nonexistent"),
    (["--ca-file", __file__], "holds no certificate"),
    (["--ca-file", "/dev/null"], "cannot read CA file /dev/null: it is no regular file"),
    (["--infinite", "--duration", "1"], "exclude each other"),
    (["--max-errors", "1.5"], "a count such as 0"),
    (["--threads", "0"], "--threads '0': it takes 1 to"),
    (["--duration", "0"], "--duration '0': it takes a duration"),
    (["--duration", "0.0000001"], "it takes a duration"),
    (["--duration", "soon"], "it takes a duration"),
    (["--duration", "1000000001"], "at most 1000000000s"),
    (["--duration", "2562047788h"], "at most 1000000000s"),
    (["--timeout", "277778h"], "at most 1000000000s"),
    (["--expect-p99", "9223372036854775807us"], "at most 1000000000s"),
    (["--shape", "step,at=2562047788h"], "at=2562047788h: it takes a duration such as 30s, at most 1000000000s"),
    (["--rate", "fast"], "a rate such as"),
    (["--shape", "zigzag"], "no such shape"),
    (["--poisson"], "need --rate"),
    (["--json", "--csv"], "exclude each other"),
    *[(["--expect-status", codes], f"--expect-status '{codes}': it takes codes such as")
      for codes in ("", "0", "99", "600", "6xx", "20x", "2x", "2000", "+20", "200,", ",200", "200,,204", "200 204", "ok")],
    (["--expect-status", "200", "--expect-status", "204"], "--expect-status can be given once: 200,204 names two"),
    (["--quiet", "--progress", "json"], "exclude each other"),
    (["--trace-speed", "2"], "--trace-speed needs --trace FILE"),
    (["--trace", "/nonexistent"], "trace /nonexistent: it cannot be read: No such file"),
    (["--header", "no colon"], "up to 32 of 'Name: value'"),
    (["--header", "a: b\r\nc: d"], "up to 32 of 'Name: value'"),
    (["--header", "a: \x01"], "up to 32 of 'Name: value'"),
    (["--header", "a(b): c"], "up to 32 of 'Name: value'"),
    (["--body-file", "/nonexistent"], "cannot read body /nonexistent"),
    (["--body-file", "/"], "cannot read body /: Is a directory"),
    (["--method", "GET /"], "a method such as POST"),
    (["--method", "HEAD", "--body-file", __file__], "a request for HEAD has no body: leave --body-file out"),
    (["--header", "transfer-encoding: chunked", "--body-file", __file__],
     "never in chunks: leave --header Transfer-Encoding out"),
    (["--header", "Transfer-Encoding:"], "never in chunks: leave --header Transfer-Encoding out"),
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
