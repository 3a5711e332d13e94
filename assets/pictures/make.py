#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws the README's picture from life: make.py BUILD. A control room on a pseudo terminal, with the settings of
autoscaler.ini, meets a load that grows for a minute; its screen of then becomes main.svg, the dots of braille as dots,
so that it looks the same whatever fonts the reader has. A quiet machine gives the calmest picture."""
import os
import re
import sys
import tempfile
import time
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
SECONDS = 60
LOAD = {"app.command": "ascale-app --port {port} --work 4ms", "load.rate": "320/s", "load.shape": "sine"}
CELL_W, CELL_H = 8, 17
GROUND, INK = "#121214", "#dcdcdc"
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
LINES = {"\u2500": ((0, .5, 1, .5),), "\u2502": ((.5, 0, .5, 1),), "\u2524": ((.5, 0, .5, 1), (0, .5, .5, .5))}


def live(build):
    """The screen after a minute of growing load: rows of (sign, ink, ground, bold)."""
    os.environ["ASCALE_BUILD"] = str(build)
    sys.path.insert(0, str(SOURCE / "tests" / "e2e"))
    import house
    with tempfile.TemporaryDirectory() as directory:
        home = house.House(directory)
        try:
            argv = [house.program("ascale-tui"), "-c", "autoscaler.ini"]
            for key, value in LOAD.items():
                argv += ["-s", f"{key}={value}"]
            room = home.terminal(argv, cwd=SOURCE, env={"TZ": "UTC"}, columns=120, lines=40)
            room.wait_for_text(" 1 ready", 20)
            room.send("l")
            room.wait_for_text("Enter: start")
            room.send("\r")
            room.wait_for_text("load started")
            time.sleep(SECONDS)
            room.send("[")  # the last minute
            room.wait_for_text(r"-1m$")
            room.wait_for_text(r"HOLD .* inside .*UP needs", 20)
            rows = cells(room)
            room.send("qs")
            room.wait(20)
        finally:
            problems = home.close()
        assert not problems, problems
    return rows


def cells(room):
    """A program that draws at any time: the frame is whole when the lock is ours."""
    def color(name, otherwise):
        return f"#{name}" if re.fullmatch("[0-9a-f]{6}", name) else otherwise

    with room.lock:
        return [[(cell.data, color(cell.fg, INK), color(cell.bg, None), cell.bold)
                 for cell in (room.screen.buffer[y][x] for x in range(room.screen.columns))]
                for y in range(room.screen.lines)]


def cell_svg(sign, ink, x, y):
    code = ord(sign)
    if 0x2800 <= code < 0x2900:
        for bit, (column, row) in enumerate(DOTS):
            if code >> bit & 1:
                yield f'<rect x="{x + 1 + column * 4}" y="{y + 1 + row * 4}" width="3" height="3" fill="{ink}"/>'
    elif code == 0x258C:
        yield f'<rect x="{x}" y="{y}" width="{CELL_W // 2}" height="{CELL_H}" fill="{ink}"/>'
    elif sign in LINES:
        for x1, y1, x2, y2 in LINES[sign]:
            yield (f'<path d="M{x + x1 * CELL_W} {y + y1 * CELL_H}L{x + x2 * CELL_W} {y + y2 * CELL_H}" '
                   f'stroke="{ink}"/>')


def row_svg(row, y):
    x = 0
    while x < len(row):
        _, ink, ground, bold = row[x]
        end = x + 1
        while end < len(row) and row[end][1:] == row[x][1:]:
            end += 1
        if ground:
            yield f'<rect x="{x * CELL_W}" y="{y}" width="{(end - x) * CELL_W}" height="{CELL_H}" fill="{ground}"/>'
        for at in range(x, end):
            yield from cell_svg(row[at][0], ink, at * CELL_W, y)
        weight = ' font-weight="bold"' if bold else ""
        run = "".join(cell[0] for cell in row[x:end])
        for word in re.finditer(r"[^\s\u2500-\u259f\u2800-\u28ff]+", run):
            left = (x + word.start()) * CELL_W
            yield (f'<text x="{left}" y="{y + 13}" textLength="{len(word[0]) * CELL_W}" fill="{ink}"{weight}>'
                   f"{escape(word[0])}</text>")
        x = end


def picture(rows):
    width, height = len(rows[0]) * CELL_W, len(rows) * CELL_H
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-6 -6 {width + 12} {height + 12}" '
             f'font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="13">',
             f'<rect x="-6" y="-6" width="{width + 12}" height="{height + 12}" rx="6" fill="{GROUND}"/>']
    for number, row in enumerate(rows):
        parts += row_svg(row, number * CELL_H)
    return "\n".join(parts + ["</svg>"]) + "\n"


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} BUILD")
    (HERE / "main.svg").write_text(picture(live(Path(sys.argv[1]).resolve())))


main()
