#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws the README's pictures from the fixtures: make.py BUILD. What the terminal would show becomes SVG, the dots of
braille as dots, so that it looks the same whatever fonts the reader has."""
import os
import pty
import re
import sys
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parents[1] / "tests" / "unit" / "fixtures"
CELL_W, CELL_H = 8, 17
GROUND, INK = "#121214", "#dcdcdc"
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
LINES = {"\u2500": ((0, .5, 1, .5),), "\u2502": ((.5, 0, .5, 1),), "\u2524": ((.5, 0, .5, 1), (0, .5, .5, .5)),
         "\u250c": ((.5, .5, 1, .5), (.5, .5, .5, 1)), "\u2510": ((0, .5, .5, .5), (.5, .5, .5, 1)),
         "\u2514": ((.5, .5, 1, .5), (.5, 0, .5, .5)), "\u2518": ((0, .5, .5, .5), (.5, 0, .5, .5))}


def color(index):
    if index >= 232:
        return "#" + f"{8 + (index - 232) * 10:02x}" * 3
    levels = (0, 95, 135, 175, 215, 255)
    index -= 16
    return "#" + "".join(f"{levels[index // step % 6]:02x}" for step in (36, 6, 1))


def printed(build, fixture, size):
    """The screen with its colors: they are only written to a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(LC_ALL="C.UTF-8", TZ="UTC")
        program = str(Path(build) / "ascale-tui")
        os.execl(program, program, "--snapshot", size, "--fixture", str(FIXTURES / fixture))
    data = b""
    try:
        while chunk := os.read(terminal, 65536):
            data += chunk
    except OSError:
        pass
    assert os.waitpid(pid, 0)[1] == 0
    return data.decode().replace("\r", "").rstrip("\n").split("\n")


def cells(line):
    ink, ground, bold = INK, None, False
    for code, sign in re.findall(r"\x1b\[([0-9;]*)m|(.)", line):
        if sign:
            yield sign, ink, ground, bold
            continue
        words = [int(word or 0) for word in code.split(";")]
        ink, ground, bold = INK, None, 1 in words
        for kind in (38, 48):
            if kind in words:
                value = color(words[words.index(kind) + 2])
                ink, ground = (value, ground) if kind == 38 else (ink, value)


def cell_svg(sign, ink, x, y):
    code = ord(sign)
    if 0x2800 <= code < 0x2900:
        for bit, (column, row) in enumerate(DOTS):
            if code >> bit & 1:
                yield f'<rect x="{x + 1 + column * 4}" y="{y + 1 + row * 4}" width="2" height="2" fill="{ink}"/>'
    elif code == 0x258C:
        yield f'<rect x="{x}" y="{y}" width="{CELL_W // 2}" height="{CELL_H}" fill="{ink}"/>'
    elif sign in LINES:
        for x1, y1, x2, y2 in LINES[sign]:
            yield (f'<path d="M{x + x1 * CELL_W} {y + y1 * CELL_H}L{x + x2 * CELL_W} {y + y2 * CELL_H}" '
                   f'stroke="{ink}"/>')


def row_svg(line, y):
    row, x = list(cells(line)), 0
    while x < len(row):
        sign, ink, ground, bold = row[x]
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


def picture(lines):
    width = max(len(list(cells(line))) for line in lines) * CELL_W
    height = len(lines) * CELL_H
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-6 -6 {width + 12} {height + 12}" '
             f'font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="13">',
             f'<rect x="-6" y="-6" width="{width + 12}" height="{height + 12}" rx="6" fill="{GROUND}"/>']
    for number, line in enumerate(lines):
        parts += row_svg(line, number * CELL_H)
    return "\n".join(parts + ["</svg>"]) + "\n"


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} BUILD")
    for name, fixture, size in (("main", "busy.json", "120x40"), ("remote", "remote.json", "100x34"),
                                ("small", "busy.json", "80x24")):
        (HERE / f"{name}.svg").write_text(picture(printed(sys.argv[1], fixture, size)))


main()
