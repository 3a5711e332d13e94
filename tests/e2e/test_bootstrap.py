# SPDX-License-Identifier: MIT
"""bootstrap on machines that lack something: every tool around it is a stand-in that writes down how it was called."""

import os
import shutil

import pytest

from house import SOURCE

pytestmark = pytest.mark.quick

BORROWED = ("sh awk cat chmod dirname env find flock grep mkdir mktemp nproc rm sed touch true").split()
STANDINS = ("autoreconf automake cc make pkg-config apt-get sudo id").split()

# pkg-config knows every module but jansson, until apt-get has installed it.
SCRIPTS = {
    "pkg-config": 'case $2 in jansson) [ -e "$HERE/installed" ];; esac',
    "apt-get": '''case "$*" in
*update*) touch "$HERE/updated" ;;
*-s*) [ -z "${NEEDS_UPDATE:-}" ] || [ -e "$HERE/updated" ] || exit 100; echo "$PLAN" ;;
*install*) touch "$HERE/installed" ;;
esac''',
    "sudo": 'exec "$@"',
    "id": 'echo "$USER_ID"',
}


class Machine:
    def __init__(self, directory, house):
        self.bin, self.directory, self.house = directory / "bin", directory, house
        self.bin.mkdir()
        (directory / "src").mkdir()
        self.calls_file = directory / "calls"
        self.calls_file.touch()
        for name in BORROWED:
            os.symlink(shutil.which(name), self.bin / name)
        for name in STANDINS:
            self.stand_in(name, SCRIPTS.get(name, "true"))
        self.bootstrap = directory / "src" / "bootstrap"
        shutil.copy(SOURCE / "bootstrap", self.bootstrap)

    def stand_in(self, name, body):
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"$HERE/calls"\n{body}\n')
        path.chmod(0o755)

    def remove(self, name):
        (self.bin / name).unlink()

    def run(self, *arguments, user=1000, plan="", **env):
        """(status, output, calls) of bootstrap, seen from another directory; it ends early: there is no source."""
        status, output = self.house.run(
            [self.bootstrap, *arguments], cwd="/",
            env=dict(env, PATH=str(self.bin), HERE=str(self.directory), USER_ID=str(user), PLAN=plan))
        return status, output, self.calls_file.read_text()


@pytest.fixture
def machine(house, tmp_path):
    return Machine(tmp_path, house)


def test_what_is_missing_is_installed_through_sudo_and_nothing_else(machine):
    _, output, calls = machine.run()
    assert "installing libjansson-dev" in output
    install = [line for line in calls.splitlines() if line.startswith("apt-get -y")]
    assert len(install) == 1
    assert install[0].endswith(" --no-install-recommends --no-remove install libjansson-dev")
    assert [line for line in calls.splitlines() if line.startswith("sudo")]


def test_root_needs_no_sudo(machine):
    machine.remove("sudo")
    _, _, calls = machine.run(user=0)
    assert "install libjansson-dev" in calls


def test_with_nothing_missing_nothing_asks_for_root(machine):
    (machine.directory / "installed").touch()
    _, output, calls = machine.run()
    assert "sudo" not in calls and "apt-get" not in calls
    assert "installing" not in output


def test_a_plan_that_removes_something_is_refused(machine):
    status, output, calls = machine.run(plan="Remv libprecious-dev [1.0]\nInst libjansson-dev (2.14)")
    assert status == 1
    assert "would remove libprecious-dev" in output
    assert "apt-get -y" not in calls


def test_stale_lists_are_updated_once(machine):
    _, _, calls = machine.run(NEEDS_UPDATE="1")
    assert len([line for line in calls.splitlines() if line.startswith("apt-get -y") and line.endswith(" update")]) == 1
    assert "install libjansson-dev" in calls


def test_an_install_that_fails_says_so_with_its_output(machine):
    machine.stand_in("apt-get", 'case "$*" in *-s*) ;; *) echo "E: no room"; exit 100 ;; esac')
    status, output, _ = machine.run()
    assert status == 1
    assert "E: no room" in output and "failed" in output


def test_another_system_is_told_what_to_install(machine):
    machine.remove("apt-get")
    status, output, _ = machine.run()
    assert status == 1
    assert "no apt-get" in output and "libjansson-dev" in output


def test_no_root_and_no_sudo_is_told_what_to_run(machine):
    machine.remove("sudo")
    status, output, _ = machine.run()
    assert status == 1
    assert "apt-get install --no-install-recommends libjansson-dev" in output


def test_an_unknown_word_is_a_usage_error(machine):
    status, output, _ = machine.run("nonsense")
    assert status == 2
    assert "./bootstrap run" in output

