# SPDX-License-Identifier: MIT
"""Settings as a user meets them: where they come from, and what is said of bad ones (exit 2, file, line, key)."""

import os
import signal

import re

import pytest

from house import SOURCE, program

pytestmark = pytest.mark.quick

# Even root then reads only what the mode allows.
WITHOUT_PRIVILEGE = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


@pytest.fixture
def tui(house, tmp_path):
    """Runs ascale-tui in a directory without settings; returns (status, output)."""

    def run(*args, cwd=tmp_path, wrapper=(), **env):
        return house.run([*wrapper, program("ascale-tui"), *args], cwd=cwd, env={"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", **env})

    return run


BAD = {
    "unknown": (b"[scaling]\n\nmax_instance = 3\n", "FILE:3: ", "scaling.max_instance is not", "scaling.max_instances"),
    "unknown section": (b"[scalling]\nmax_instances = 3\n", "FILE:2: ", "scaling.max_instances"),
    "out of range": (b"[app]\nbase_port = 70000\n", "FILE:2: ", "app.base_port", "'70000'", "0..65535"),
    "bad choice": (b"[scaling]\nstrategy = fast\n", "FILE:2: ", "scaling.strategy", "'fast'", "threshold, tracking"),
    "ambiguous": (b"[scaling]\nscale_up_threshold = 1\n", "FILE:2: ", "1% or 100%"),
    "no unit": (b"[scaling]\npolling_interval = 5\n", "FILE:2: ", "scaling.polling_interval", "unit"),
    "duplicate": (b"[app]\nhost = a\nhost = b\n", "FILE:3: ", "app.host", "twice", "line 2"),
    "duplicate across sections": (b"[app]\nhost = a\n[log]\n[app]\nhost = b\n", "FILE:5: ", "app.host", "twice"),
    "very long line": (b"[app]\ncommand = " + b"x" * 100000 + b"\n", "FILE:2: ", "app.command", "bytes"),
    "long key": (b"[app]\n" + b"k" * 300 + b" = x\n", "FILE:2: ", "bytes"),
    "NUL": (b"[app]\ncommand = a\0b\n", "FILE:2: ", "app.command", "0x00"),
    "escape": (b"[app]\ncommand = \x1b]0;owned\x07\n", "FILE:2: ", "app.command", "0x1b"),
    "indented": (b"[app]\nhost = a\n  command = b\n", "FILE:3: ", "indented"),
    "comment behind": (b'[scaling]\nmax_step = 2 ; two\n', "FILE:2: ", "scaling.max_step", "'2 ; two'"),
    "no section": (b"host = a\n", "FILE:1: ", "host"),
    "no value": (b"[app]\nhost\n", "FILE:2: "),
    "after an error": (b"[app]\nbogus = 1\nhost = a\n", "FILE:2: ", "app.bogus"),
    "crossed bounds": (b"[scaling]\nmax_instances = 3\nmin_instances = 4\n", "FILE:3: ", "scaling.min_instances (4)",
                       "scaling.max_instances (3)"),
    "crossed thresholds": (b"[scaling]\nscale_down_threshold = 80%\n", "FILE:2: ", "scaling.scale_up_threshold (35%)"),
}


@pytest.mark.parametrize("key", ["token_file", "ca_file"])
@pytest.mark.parametrize("mode", ["--check-config", "--headless"])
def test_a_missing_file_stops_with_2_and_says_where(tui, tmp_path, key, mode):
    ini = tmp_path / "remote.ini"
    ini.write_text(f"[scaling]\ntarget = http\n[http]\napp_url = http://127.0.0.1:1\n{key} = /nowhere/secret\n")
    status, output = tui("-c", str(ini), mode)
    assert status == 2
    assert f"{ini}:5: http.{key} (/nowhere/secret): No such file or directory" in output


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.replace(" ", "-"))
@pytest.mark.parametrize("mode", ["--check-config", "--headless"])
def test_a_bad_file_stops_with_2_and_says_where(tui, tmp_path, case, mode):
    content, *says = BAD[case]
    ini = tmp_path / "bad.ini"
    ini.write_bytes(content)
    status, output = tui("-c", str(ini), mode)
    assert status == 2
    for part in says:
        assert part.replace("FILE", str(ini)) in output
    assert "\x1b" not in output and "\x07" not in output
    told = [line for line in output.splitlines() if line.startswith("ascale-tui: ")]
    assert len(told) == 1
    if mode == "--check-config":
        assert f"{ini}: 1 error" in output


@pytest.mark.parametrize("kind", ["directory", "missing", "fifo", "unreadable"])
def test_what_is_no_file_stops_with_2(tui, tmp_path, kind):
    path = tmp_path / "x.ini"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "unreadable":
        path.write_text("")
        path.chmod(0)
    status, output = tui("-c", str(path), "--check-config", wrapper=WITHOUT_PRIVILEGE if os.geteuid() == 0 else ())
    assert status == 2
    assert f"{path}: cannot be read: " in output


@pytest.mark.parametrize("setting, says", [
    ("scaling.max_instances=x", "not a whole number"),
    ("scaling.nothing=1", "is not an option"),
    ("scaling.min_instances=6", "must not be more than"),
    ("nonsense", "nonsense"),
])
def test_a_bad_override_stops_with_2(tui, setting, says):
    status, output = tui("-s", setting, "--check-config")
    assert status == 2
    assert says in output


def dumped(result):
    """Key and value of every line that sets one."""
    status, output = result
    assert status == 0, output
    section, values = None, {}
    for line in output.splitlines():
        if line.startswith("["):
            section = line[1:-1]
        elif line and not line.startswith("#"):
            key, _, value = line.partition(" =")
            values[f"{section}.{key}"] = value.strip()
    return values


def test_file_order_and_overrides(tui, tmp_path):
    def write(path, instances):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[scaling]\nmax_instances = {instances}\n")

    key = "scaling.max_instances"
    here = tmp_path / "here"
    here.mkdir()
    assert dumped(tui("--dump-config", cwd=here))[key] == "5"
    write(tmp_path / ".config/ascale/autoscaler.ini", 11)
    assert dumped(tui("--dump-config", cwd=here))[key] == "11"
    write(tmp_path / "xdg/ascale/autoscaler.ini", 12)
    assert dumped(tui("--dump-config", cwd=here, XDG_CONFIG_HOME=str(tmp_path / "xdg")))[key] == "12"
    write(here / "autoscaler.ini", 13)
    assert dumped(tui("--dump-config", cwd=here, XDG_CONFIG_HOME=str(tmp_path / "xdg")))[key] == "13"
    write(tmp_path / "given.ini", 14)
    assert dumped(tui("-c", str(tmp_path / "given.ini"), "--dump-config", cwd=here))[key] == "14"
    assert dumped(tui("-c", str(tmp_path / "given.ini"), "-s", f"{key}=15", "--dump-config", cwd=here))[key] == "15"
    assert dumped(tui("-s", f"{key}=15", "-s", f"{key}=16", "--dump-config", cwd=here))[key] == "16"


def test_a_dump_reads_back(tui, tmp_path):
    changes = ["app.command=sh -c 'exec x; y' # z", "app.env.GREETING=hello = world", "http.header.X-Key=a b",
               "scaling.scale_up_threshold=71.5%", "load.rate=90/m", "scaling.polling_interval=1500ms"]
    first = tui(*(word for change in changes for word in ("-s", change)), "--dump-config")
    (tmp_path / "copy.ini").write_text(first[1])
    second = tui("-c", str(tmp_path / "copy.ini"), "--dump-config")
    assert second == first
    assert dumped(second)["app.env.GREETING"] == "hello = world"


def test_the_sample_file_is_the_default(tui):
    sample = SOURCE / "autoscaler.ini"
    assert tui("-c", str(sample), "--dump-config") == (0, sample.read_text())
    assert tui("--dump-config") == (0, sample.read_text())
    assert tui("-c", str(sample), "--check-config")[0] == 0


def test_help_names_every_key_of_the_sample(tui):
    help_text = tui("--help")[1]
    for key in dumped(tui("--dump-config")):
        assert f"\n  {key} =" in help_text


def test_a_bad_file_at_reload_keeps_the_old_settings(house, tmp_path):
    good = ("[app]\ncommand = /usr/bin/python3 -m http.server {port} --bind 127.0.0.1\nhealth_path = /\nbase_port = 0\n"
            "[balancer]\nenabled = no\n[scaling]\nmin_instances = %d\n")
    ini = tmp_path / "x.ini"
    ini.write_text(good % 1)
    tui = house.spawn([program("ascale-tui"), "-c", str(ini), "--headless"])
    tui.wait_for(r"i1 \(pid \d+\) ready")
    ini.write_text("[scaling]\nmin_instances = 2\nmax_instance = 3\n")
    tui.signal(signal.SIGHUP)
    tui.wait_for(r"x\.ini:3: scaling\.max_instance is not an option; the nearest one is scaling\.max_instances")
    assert tui.running()
    ini.write_text(good % 2)
    tui.signal(signal.SIGHUP)
    tui.wait_for(r"i2 \(pid \d+\) ready")
    assert tui.output().count("0>1 raised to the minimum of 1") == 1
    assert "raised to the minimum of 2" in tui.output()
    tui.signal(signal.SIGTERM)
    assert tui.wait() == 0


def check(house, text, *words):
    ini = house.directory / "checked.ini"
    ini.write_text(text)
    return house.run([program("ascale-tui"), "--check-config", "-c", ini, *words], cwd=house.directory)


def test_a_check_lists_every_fault(house):
    status, said = check(house, "[app]\ncommand = sh -c 'oops\nhealth_intervall = 3s\nstray words\n"
                         "[scaling]\nmin_instances = 9\nmax_instances = 3000\nmax_step = 0\n", "-s", "ui.mouse=maybe")
    assert status == 2
    for line, words in [(3, "app.health_intervall is not an option"), (4, "neither 'key = value'"),
                        (7, "scaling.max_instances = '3000'"), (8, "scaling.max_step = '0'"),
                        (6, "scaling.min_instances (9) must not be more than"), (2, "a ' is never closed")]:
        assert re.search(rf"checked\.ini:{line}: .*{re.escape(words)}", said), (line, words, said)
    assert "-s: ui.mouse = 'maybe'" in said
    assert re.search(r"checked\.ini: 7 errors", said)


@pytest.mark.parametrize("text, says", [
    ("[app]\ncommand = sh -c 'exec x\n", "a ' is never closed"),
    ("[scaling]\nmin_instances = 0\n[balancer]\nenabled = no\n", "would never be woken again"),
])
def test_what_could_never_work_is_an_error(house, text, says):
    status, said = check(house, text)
    assert status == 2 and says in said


@pytest.mark.parametrize("command, says", [
    ("/bin/sh -c 'exec {prot}' {port}", "{prot} is passed on as it is; is {port} meant?"),
    ("/bin/cat ~/app {port}", "'~/app' is taken literally"),
    ("/bin/cat $HOME/app {port}", "'$HOME/app' is taken literally"),
    ("/bin/cat {port} # the port", "'#' is an argument, no comment"),
    ("/bin/cat", "has no {port}"),
    ("no-such-program {port}", "'no-such-program' is not found in PATH"),
    ("/no/such/program {port}", "'/no/such/program' is not found"),
])
def test_what_is_hardly_meant_is_a_warning(house, command, says):
    status, said = check(house, f"[app]\ncommand = {command}\n")
    assert status == 0
    assert re.search(r"checked\.ini: OK, 1 warning:\n", said) and says in said


def test_what_is_meant_for_a_shell_is_no_warning(house):
    status, said = check(house, "[app]\ncommand = sh -c 'cd ~ && exec $HOME/app {port} # now'\n")
    assert (status, said) == (0, f"{house.directory}/checked.ini: OK\n")
