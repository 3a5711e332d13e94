# SPDX-License-Identifier: MIT
"""The ini is gone, empty, unreadable or has lost sections: the old settings stay, never the demo application (FAULTS 43)."""

import os
import signal

import pytest

from headless import QUICK, ini_text
from house import alive, program, wait_until

APP = {"app.command": "ascale-app --work 0 --quiet --port {port}"}


@pytest.mark.parametrize("harm", [
    lambda ini: ini.rename(ini.with_suffix(".away")), lambda ini: ini.write_text(""),
    lambda ini: ini.write_text("# nothing but a comment\n"), lambda ini: (ini.unlink(), ini.mkdir()),
    lambda ini: ini.write_text("[scaling]\nmax_instances = 4\n"),
    lambda ini: ini.write_text("".join(line for line in ini.read_text().splitlines(True) if "command" not in line)),
], ids=["gone", "empty", "comment", "directory", "sections", "command"])
def test_the_old_settings_stay_at_a_reload(room, harm):
    control = room(APP)
    pid = control.wait_ready(1)[0]
    harm(control.ini)
    control.process.signal(signal.SIGHUP)
    control.wait_for(r"ERROR settings not read again, the old ones stay: ")
    assert control.get().status == 200 and control.ready() == [pid]
    if control.ini.is_dir():
        control.ini.rmdir()
    control.reload(scaling__min_instances=2)
    wait_until(lambda: len(control.ready()) == 2, 20, "what the file says once it is back")
    assert control.stop() == 0


def test_found_and_not_named_it_is_not_replaced_by_the_defaults(house):
    """As a user starts it: the ini of the folder, found there, and moved away while it runs."""
    (house.directory / "autoscaler.ini").write_text(ini_text(QUICK | APP))
    words = [program("ascale-tui"), "--headless", "--state-dir", str(house.directory / "state")]
    process = house.spawn(words, cwd=house.directory)
    process.wait_for("ready in")
    (house.directory / "autoscaler.ini").rename(house.directory / "elsewhere.ini")
    process.signal(signal.SIGHUP)
    process.wait_for("the old ones stay: .*autoscaler.ini.*No such file")
    assert "settings read again" not in process.output()
    assert process.terminate() == 0


def test_a_start_does_not_take_over_instances_whose_ini_is_gone(house):
    ini = house.directory / "autoscaler.ini"
    ini.write_text(ini_text(QUICK | APP))
    words = [program("ascale-tui"), "--headless", "--state-dir", str(house.directory / "state")]
    first = house.spawn(words, cwd=house.directory)
    pid = int(first.wait_for(r"i1 \(pid (\d+)\) ready in").group(1))
    first.signal(signal.SIGKILL)
    first.wait()
    first.expected_orphans = True
    ini.rename(house.directory / "moved.ini")
    status, output = house.run(words, cwd=house.directory)
    assert status == 1
    assert f"1 instance of '{ini}' still serves, and that file is gone" in output and "-c FILE" in output
    assert alive(pid)
    named = house.spawn([*words, "-c", "moved.ini"], cwd=house.directory)
    named.wait_for("1 of its instances taken over")
    assert alive(pid)
    assert named.terminate() == 0
    wait_until(lambda: not alive(pid), 10, "the end of the instance")


@pytest.mark.parametrize("named", [False, True])
def test_a_start_with_what_is_left_of_an_ini_takes_over_nothing(house, named):
    ini = house.directory / "autoscaler.ini"
    text = ini_text(QUICK | APP)
    ini.write_text(text)
    words = [program("ascale-tui"), "--headless", "--state-dir", str(house.directory / "state"),
             *(["-c", str(ini)] if named else [])]
    first = house.spawn(words, cwd=house.directory)
    pid = int(first.wait_for(r"i1 \(pid (\d+)\) ready in").group(1))
    first.signal(signal.SIGKILL)
    first.wait()
    first.expected_orphans = True
    ini.write_text("")
    status, output = house.run(words, cwd=house.directory)
    assert status == 1 and "has no [app] [scaling] [balancer] app.command any more" in output
    assert alive(pid)
    ini.write_text(text)
    again = house.spawn(words, cwd=house.directory)
    again.wait_for("1 of its instances taken over")
    assert again.terminate() == 0
    wait_until(lambda: not alive(pid), 10, "the end of the instance")


def test_on_the_screen_the_loss_of_sections_is_asked_about(house):
    ini = house.directory / "autoscaler.ini"
    ini.write_text(ini_text(QUICK | APP))
    room = house.terminal([program("ascale-tui"), "--state-dir", str(house.directory / "state")], cwd=house.directory)
    room.wait_for_text("1 ready", 20)
    ini.write_text(ini_text({key: value for key, value in QUICK.items() if not key.startswith("scaling.")} | APP))
    room.send("R")
    room.wait_for_text(r"Gone from the file, so that the defaults would be in force:")
    room.wait_for_text(r"\[scaling\]")
    room.send("n")
    room.wait_for_absence("Gone from the file")
    assert room.terminate() == 0


def test_one_that_cannot_be_read_changes_nothing(room):
    if os.geteuid() == 0:
        pytest.skip("this kernel lets root read every file")
    control = room(APP)
    control.wait_ready(1)
    control.ini.chmod(0)
    control.process.signal(signal.SIGHUP)
    control.wait_for("the old ones stay: .*Permission denied")
    control.ini.chmod(0o644)
    assert control.stop() == 0
