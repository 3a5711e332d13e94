# SPDX-License-Identifier: MIT
"""Says which test ended and how many are left, instead of dots: one line that changes on a terminal, else a line each."""

import os
import sys

import pytest


class Progress:
    def __init__(self, config):
        self.plugins = config.pluginmanager
        self.in_place = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.total = self.done = 0
        self.bad = set()

    @property
    def reporter(self):
        return self.plugins.getplugin("terminalreporter")

    def pytest_collection_finish(self, session):
        self.total = self.total or len(session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):
        self.total = len(ids)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report):
        """No letter; the counts at the end and the summary stay pytest's."""
        if report.passed:
            return ("passed" if report.when == "call" else "", "", "")
        if report.failed:
            self.bad.add(report.nodeid)
            return ("failed" if report.when == "call" else "error", "", "")
        return ("skipped", "", "")

    def pytest_runtest_logfinish(self, nodeid):
        self.done += 1
        name = nodeid.rpartition("/")[2]
        line = f"{self.done}/{self.total} {'FAILED' if nodeid in self.bad else 'ended'} {name}"
        if not self.in_place:
            self.reporter.write_line(line)
        elif nodeid in self.bad:
            self.reporter.write(f"\r\x1b[K{line}\n")
        else:
            self.reporter.write(f"\r\x1b[K{line[:78]}", flush=True)

    def pytest_sessionfinish(self):
        if self.in_place:
            self.reporter.write("\r\x1b[K")
