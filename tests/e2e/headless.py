# SPDX-License-Identifier: MIT
"""ascale-tui --headless driven as an operator without a screen would: an ini, signals, and the lines it prints."""

import http.client
import re
import signal
import threading

from house import SLOW, alive, command_line, descendants, process_stat, program, request, wait_until

# Quick timers, so that a fault is seen and mended within a test; ports are any free ones.
QUICK = {
    "app.command": "ascale-app --work 0 --port {port}",
    "app.base_port": "0",
    "app.health_interval": "200ms",
    "app.health_timeout": f"{500 * SLOW:g}ms",
    "app.start_timeout": "10s",
    "app.stop_timeout": f"{2 * SLOW:g}s",
    "app.drain_timeout": "10s",
    "balancer.listen": "127.0.0.1:0",
    "scaling.polling_interval": "200ms",
    "scaling.cooldown_up": "0",
    "scaling.cooldown_down": "0",
    "scaling.stabilization": "0",
    "scaling.stabilization_down": "0",
}


def ini_text(settings):
    sections = {}
    for name, value in settings.items():
        section, key = name.split(".", 1)
        sections.setdefault(section, []).append(f"{key} = {value}")
    return "".join(f"[{section}]\n" + "\n".join(lines) + "\n\n" for section, lines in sections.items())


class ControlRoom:
    """A running `ascale-tui --headless` with a state directory and an ini of its own."""

    def __init__(self, house, settings=None, arguments=(), start=True, name="room"):
        self.house = house
        self.settings = dict(QUICK, **(settings or {}))
        self.ini = house.directory / f"{name}.ini"
        self.state = house.directory / f"{name}.state"
        self.arguments = arguments
        self.write_ini()
        if start:
            self.start()

    def write_ini(self):
        self.ini.write_text(ini_text(self.settings))

    def start(self):
        self.process = self.house.spawn([program("ascale-tui"), "--headless", "-c", self.ini,
                                         "--state-dir", self.state, *self.arguments])
        self.pid = self.process.pid

    def output(self):
        return self.process.output()

    def wait_for(self, pattern, deadline=15.0):
        return self.process.wait_for(pattern, deadline)

    def count(self, pattern):
        return len(re.findall(pattern, self.output(), re.M))

    @property
    def port(self):
        return int(self.wait_for(r"balancer listening on http://\S+?:(\d+)$").group(1))

    def reload(self, **changed):
        """Changes settings (scaling__min_instances=3) in the ini and sends SIGHUP."""
        self.settings.update({name.replace("__", "."): value for name, value in changed.items()})
        self.write_ini()
        self.process.signal(signal.SIGHUP)

    def scale(self, count):
        self.reload(scaling__min_instances=count, scaling__max_instances=count)

    def ready(self):
        """The pids of the instances that became ready and still live, oldest first."""
        found = re.findall(r" i(\d+) \(pid (\d+)\) ready in ", self.output())
        return [int(pid) for _, pid in found if alive(int(pid))]

    def wait_ready(self, count, deadline=20.0):
        """Exactly so many instances are ready; returns their pids."""
        wait_until(lambda: len(self.ready()) == count, deadline, f"{count} ready instances")
        return self.ready()

    def children(self, name):
        return [pid for pid in descendants(self.pid) if name in command_line(pid)]

    def zombies(self):
        return [pid for pid in descendants(self.pid, dead=True) if (process_stat(pid) or "-")[0] == "Z"]

    def get(self, path="/", **more):
        return request(self.port, path, **more)

    def stop(self, deadline=20.0):
        """Ends it in order; returns its exit status."""
        return self.process.terminate(deadline)


class Traffic:
    """Users who ask again and again, each on a connection of its own for every request, until the block ends.
    `failures` holds what was not a 200."""

    def __init__(self, port, users=2, path="/"):
        self.port, self.path, self.users = port, path, users
        self.answered, self.failures = 0, []
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(users)]

    def _ask(self):
        while not self.stopped.is_set():
            try:
                answer = request(self.port, self.path, timeout=20)
                failure = None if answer.status == 200 else f"{answer.status} {answer.body[:200]!r}"
            except (OSError, http.client.HTTPException) as error:
                failure = repr(error)
            with self.lock:
                self.answered += 1
                if failure:
                    self.failures.append(failure)
            self.stopped.wait(0.005)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def wait_for_more(self, count=20, deadline=10.0):
        goal = self.answered + count
        wait_until(lambda: self.answered >= goal, deadline, f"{count} more answers")
