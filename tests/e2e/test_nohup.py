# SPDX-License-Identifier: MIT
"""Under nohup the end of the terminal is no order to stop."""

import signal

import pytest

from house import program, try_request, wait_until

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("words", [["ascale-app", "--port", "0", "--work", "0"],
                                   ["ascale-balance", "--port", "0", "--backend", "127.0.0.1:1"]],
                         ids=lambda words: words[0])
def test_a_server_outlives_its_terminal(house, words):
    process = house.spawn(["nohup", program(words[0]), *words[1:]])
    port = int(process.wait_for(r"listening on http://[^ ]*:(\d+)").group(1))
    process.signal(signal.SIGHUP)
    answers = []
    wait_until(lambda: not process.running() or (answers.append(try_request(port)), len(answers) > 50)[1])
    assert process.running() and None not in answers
    assert process.terminate() == 0


def test_load_outlives_its_terminal(serve, house):
    server = serve()
    process = house.spawn(["nohup", program("ascale-load"), "--infinite", "--threads", 1, "--json", "--url", server.url])
    wait_until(lambda: server.requests)
    process.signal(signal.SIGHUP)
    seen = len(server.requests)
    wait_until(lambda: not process.running() or len(server.requests) > seen + 200)
    assert process.running()
    assert process.terminate() == 0
