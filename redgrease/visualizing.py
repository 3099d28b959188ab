"""Draws functions, as SVG and as text for Graphviz."""

import os
from html import escape
from typing import Any, List, NamedTuple, Union

from redgrease.gears import GearFunction

__all__ = ["Drawing", "visualize"]

MOST_LETTERS = 56
"""How many letters a line in a box has at most; all of it is shown under the mouse."""

# Light letters on boxes that are neither light nor dark: readable wherever the drawing is put,
# also where it is an image of its own and knows nothing of the page.
_COLOURS = {"reader": "#0f6b7a", "step": "#475569", "end": "#6d4aa8"}
_ARROW = "#8a94a3"
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

_LETTER, _LINE, _PAD, _GAP, _LEAST = 7.3, 18, 9, 26, 120
"""Sizes in pixels: a letter's and a line's, around text, between boxes, the least width."""


class Box(NamedTuple):
    """A step, as it is drawn.

    Attributes:
        kind: ``reader``, ``step`` or ``end``.
        title: The step's name.
        text: Its arguments.
    """

    kind: str
    title: str
    text: str


class Drawing:
    """A drawing of a function; notebooks show it.

    Attributes:
        svg: The drawing, as SVG.
        dot: The same as text for Graphviz.
    """

    def __init__(self, boxes: List[Box]) -> None:
        self.svg = _svg(boxes)
        self.dot = _dot(boxes)

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Write the drawing into a file.

        Args:
            path: The file: ``.svg``; or ``.dot`` or ``.gv`` for Graphviz.

        Raises:
            ValueError: It is called something else.
        """
        ending = os.path.splitext(os.fspath(path))[1]
        if ending not in (".svg", ".dot", ".gv"):
            raise ValueError(f"a drawing is saved as .svg, .dot or .gv, not {ending!r}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.svg if ending == ".svg" else self.dot)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.dot.count('label=')} steps>"

    def __str__(self) -> str:
        return self.dot


def visualize(function: Any) -> Drawing:
    """Draw a function: its reader, its steps, and how it ends.

    ::

        redgrease.visualize(function).save("function.svg")

    Args:
        function: A function made with redgrease, open or closed, or a ``GearsBuilder``.

    Returns:
        The drawing, with ``svg`` and ``dot``.

    Raises:
        TypeError: It is no function of redgrease.
    """
    function = getattr(function, "gearfunction", function)
    if not isinstance(function, GearFunction):
        raise TypeError(f"expected a GearFunction, not {type(function).__name__}")
    return Drawing(_boxes(function))


def _boxes(function: "GearFunction[Any]") -> List[Box]:
    boxes = []
    steps = [step for step in function.steps if step.shown]
    for number, step in enumerate(steps):
        title, _, text = step.shown.partition("(")
        kind = "reader" if not number else "step"
        if step.name in ("run", "register"):
            kind = "end"
        boxes.append(Box(kind, title, text[:-1] if text.endswith(")") else text))
    return boxes


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"


def _svg(boxes: List[Box]) -> str:
    longest = max(len(_cut(text)) for box in boxes for text in (box.title + "  ", box.text))
    width = max(_LEAST, round(longest * _LETTER) + 2 * _PAD)
    middle = width // 2 + 1
    parts, top = [], 1
    for number, box in enumerate(boxes):
        if number:
            tip = top + _GAP - 2
            parts.append(
                f'<path d="M{middle} {top + 2}V{tip - 5}" stroke="{_ARROW}" stroke-width="1.6"/>'
                f'<path d="M{middle - 4} {tip - 7}h8l-4 7z" fill="{_ARROW}"/>'
            )
            top += _GAP
        lines = 2 if box.text else 1
        height = lines * _LINE + 2 * _PAD - 4
        texts = [(box.title, ' font-weight="bold"'), (_cut(box.text), "")][:lines]
        written = "".join(
            f'<text x="{middle}" y="{top + _PAD + 11 + line * _LINE}"{style}>{escape(text)}</text>'
            for line, (text, style) in enumerate(texts)
        )
        parts.append(
            f"<g><title>{escape(f'{box.title}({box.text})')}</title>"
            f'<rect x="1" y="{top}" width="{width}" height="{height}" rx="6"'
            f' fill="{_COLOURS[box.kind]}" stroke="{_ARROW}"/>'
            f'<g fill="#ffffff" text-anchor="middle">{written}</g></g>'
        )
        top += height
    size = f'width="{width + 2}" height="{top + 1}" viewBox="0 0 {width + 2} {top + 1}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{_FONT}" font-size="12"'
        f' role="img" aria-label="{escape(" → ".join(box.title for box in boxes))}">'
        + "".join(parts)
        + "</svg>"
    )


def _quoted(text: str) -> str:
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))


def _dot(boxes: List[Box]) -> str:
    lines = [
        "digraph function {",
        '  node [shape=box, style="rounded,filled", fontname=monospace, fontcolor=white];',
    ]
    for number, box in enumerate(boxes):
        label = box.title + (f"\n{_cut(box.text)}" if box.text else "")
        lines.append(f'  s{number} [label={_quoted(label)}, fillcolor="{_COLOURS[box.kind]}"];')
    if len(boxes) > 1:
        lines.append("  " + " -> ".join(f"s{number}" for number in range(len(boxes))) + ";")
    return "\n".join([*lines, "}", ""])
