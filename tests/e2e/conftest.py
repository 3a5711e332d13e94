# SPDX-License-Identifier: MIT
"""Fixtures of the end-to-end tests. `house` starts programs and terminals and fails the test that leaves one behind."""

import signal

import pytest

import house as helpers
from balancing import supervised  # noqa: F401 (a fixture)
from certificates import certificate  # noqa: F401 (a fixture)
from headless import ControlRoom
from loading import controlled, load, serve  # noqa: F401 (fixtures)
from progress import Progress

TEST_TIMEOUT_S = 180
HOUSE = pytest.StashKey()


def pytest_configure(config):
    config.addinivalue_line("markers", "threads: crosses threads; .ci/run repeats it under the thread sanitizer")
    config.addinivalue_line("markers", "unsanitized: cannot run under a sanitizer (address space limits, timing)")
    config.addinivalue_line("markers", "quick: one a feature, for ./bootstrap check; .ci/run runs all of them")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Progress(config), "progress")
    helpers.become_subreaper()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # programs inherit what nohup had ignored


@pytest.fixture
def house(request, tmp_path):
    home = helpers.House(tmp_path)
    request.node.stash[HOUSE] = home
    yield home
    problems = home.close()
    assert not problems, "\n".join(problems)


@pytest.fixture
def spawn(house):
    return house.spawn


@pytest.fixture
def terminal(house):
    return house.terminal


@pytest.fixture
def room(house):
    """Starts `ascale-tui --headless`; see headless.ControlRoom."""

    def start(settings=None, **more):
        return ControlRoom(house, settings, **more)

    return start


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    started = item.stash[HOUSE].started if HOUSE in item.stash else []
    if report.failed:
        for process in started:
            report.sections.append((f"process {process.pid}", process.describe()))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item, nextitem):
    """A test that hangs fails instead of holding up the rest."""

    def expired(number, frame):
        raise TimeoutError(f"{item.nodeid} took more than {TEST_TIMEOUT_S * helpers.SLOW:g} s")

    previous = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, TEST_TIMEOUT_S * helpers.SLOW)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)
