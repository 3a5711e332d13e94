# SPDX-License-Identifier: MIT
"""What a program was asked to say and could not write is a failure, told on standard error."""

import subprocess

import pytest

from house import SLOW, SOURCE, program

pytestmark = pytest.mark.quick

PROGRAMS = ("ascale-tui", "ascale-balance", "ascale-load", "ascale-app")
FIXTURE = SOURCE / "tests/unit/fixtures/busy.json"


@pytest.mark.parametrize("words", [
    *[[name, option] for name in PROGRAMS for option in ("--help", "--version", "-h", "-V")],
    ["ascale-tui", "--check-config", "--config", SOURCE / "autoscaler.ini"],
    ["ascale-tui", "--dump-config", "--config", SOURCE / "autoscaler.ini"],
    ["ascale-tui", "--help-keys"],
    ["ascale-tui", "--snapshot", "80x24", "--fixture", FIXTURE],
], ids=lambda words: " ".join(words[:2]))
def test_a_full_disk_is_a_failure(words):
    command = [program(words[0]), *words[1:]]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=20 * SLOW)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"{words[0]}: cannot write "), ended.stderr
    assert ended.stderr.endswith(" to standard output: No space left on device\n")
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=20 * SLOW)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("words", [["ascale-app", "--port", "0"],
                                   ["ascale-balance", "--port", "0", "--backend", "127.0.0.1:1"]])
def test_a_server_whose_line_cannot_be_written_serves(words):
    """Where it listens is lost, which it says; requests are not."""
    with open("/dev/full", "w") as full, subprocess.Popen([program(words[0]), *words[1:]], stdout=full,
                                                          stderr=subprocess.PIPE, text=True) as process:
        try:
            complaint = f"{words[0]}: cannot write where it listens to standard output: No space left on device\n"
            assert complaint in iter(process.stderr.readline, "")
            process.terminate()
            assert process.wait(20 * SLOW) == 0
        finally:
            process.kill()
