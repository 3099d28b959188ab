"""The table and the plot of what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from .measure import MOST, Figure

WIDTH, LEFT, RIGHT, LINE, TOP = 760, 330, 90, 22, 46
MET, MISSED, FREE = "#2a7f62", "#c0562f", "#7a8794"


def number(value: float | None) -> str:
    """A figure as people read it."""
    if value is None:
        return ""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value < 10 else f"{value:.1f}"


def markdown(figures: Sequence[Figure]) -> str:
    """A table of all figures."""
    lines = [
        "| what | measured | compared with | ratio | aim | |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    group = None
    for one in figures:
        if one.group != group:
            group = one.group
            lines.append(f"| **{group}** | | | | | |")
        floor = f"{number(one.floor)} {one.unit}" if one.floor is not None else ""
        ratio = f"{one.ratio:.2f}" if one.ratio is not None else ""
        sign = "≤" if one.compare == MOST else "≥"
        aim = f"{sign} {number(one.target)}" if one.target is not None else ""
        met = {True: "met", False: "missed", None: ""}[one.met]
        value = f"{number(one.value)} {one.unit}"
        lines.append(f"| {one.name} | {value} | {floor} | {ratio} | {aim} | {met} |")
    return "\n".join(lines) + "\n"


def svg(figures: Sequence[Figure]) -> str:
    """A plot of the figures with an aim: how far each is on the good or the bad side of it."""
    shown = [(one, _reserve(one)) for one in figures if one.target is not None]
    height = TOP + LINE * len(shown) + 30
    most = max(2.0, *(max(reserve, 1 / reserve) for _, reserve in shown))
    scale = (WIDTH - LEFT - RIGHT) / (2 * math.log(most))
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(middle, 18, "times as good as aimed at (logarithmic)", "middle"),
    ]
    power = 1.0
    while power <= most:
        for tick in {power, 1 / power}:
            x = middle + scale * math.log(tick)
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 24}"'
                f' stroke="{"#333" if tick == 1 else "#ddd"}"/>'
            )
            label = f"{tick:g}" if tick >= 1 else f"1/{1 / tick:g}"
            parts.append(_text(x, height - 10, label, "middle"))
        power *= 2
    for row, (one, reserve) in enumerate(shown):
        y = TOP + LINE * row
        length = scale * math.log(reserve)
        colour = MET if one.met else MISSED
        x = middle + min(length, 0)
        parts.append(
            f'<rect x="{x:.1f}" y="{y}" width="{max(abs(length), 1):.1f}" height="{LINE - 8}"'
            f' fill="{colour}"/>'
        )
        group = one.group.partition(":")[0]
        parts.append(_text(LEFT - 8, y + 11, f"{group}: {one.name}", "end"))
        reached = one.value if one.ratio is None else one.ratio
        sign = "≤" if one.compare == MOST else "≥"
        parts.append(
            _text(WIDTH - 8, y + 11, f"{number(reached)} ({sign} {number(one.target)})", "end")
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _reserve(one: Figure) -> float:
    """How many times as good as its aim a figure is."""
    assert one.target is not None
    reached = one.value if one.ratio is None else one.ratio
    return one.target / reached if one.compare == MOST else reached / one.target


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
