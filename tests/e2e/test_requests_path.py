# SPDX-License-Identifier: MIT
"""Where the application counts its requests itself, those that come past the balancer count as well."""

import pytest

from house import program, request, wait_until


@pytest.mark.quick
@pytest.mark.parametrize("balancer", ["yes", "no"])
def test_requests_past_the_balancer_are_counted(house, balancer):
    room = house.terminal([
        program("ascale-tui"), "-s", "app.base_port=0", "-s", "app.requests_path=/requests", "-s",
        "balancer.listen=127.0.0.1:0", "-s", f"balancer.enabled={balancer}", "-s", "scaling.polling_interval=200ms",
        "-s", "ui.frame_interval=100ms"], cwd=house.directory)
    port = int(room.wait_for_text(r"i1 +(\d+) +\d+ +READY", 20).group(1))
    room.wait_for_text(r"Requests/min +0 last")

    def counted():
        assert request(port, "/bytes?n=1").status == 200
        return room.wait_for_text(r"Requests/min +(\S+) last").group(1) not in "0-"

    wait_until(counted, 20, "a rate")
    assert room.terminate() == 0
