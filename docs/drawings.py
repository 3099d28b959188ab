"""Makes the drawings of the documentation: ``python docs/drawings.py``.

They are described in ``drawings.txt``, which says how, and become the files ``drawings/*.svg``.
They follow the reader's choice of light or dark.
"""

import math
import re
from html import escape
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, NamedTuple, Tuple

HERE = Path(__file__).parent
SOURCE = HERE / "drawings.txt"
FOLDER = HERE / "drawings"

STYLE = """
svg { --ink: #24292f; --faint: #57606a; --panel: #f3f5f8; --edge: #c4ccd6; --card: #ffffff;
      --mark: #0b63c5; --wash: #e3effc; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e6edf3; --faint: #9da7b3; --panel: #1b2027; --edge: #465062; --card: #262d36;
        --mark: #6cb2ff; --wash: #17324f; }
}
text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: var(--ink);
       text-anchor: middle; dominant-baseline: central; }
text.plain { font-family: system-ui, "DejaVu Sans", sans-serif; }
text.small { font-size: 12px; fill: var(--faint); }
text.step { fill: var(--mark); }
.panel { fill: var(--panel); stroke: var(--edge); }
.frame { fill: none; stroke: var(--edge); stroke-dasharray: 5 4; }
.record, .box { fill: var(--card); stroke: var(--faint); }
.box { stroke: var(--mark); }
.last { opacity: 0.55; stroke-dasharray: 4 3; }
.pill { fill: var(--wash); stroke: var(--mark); stroke-width: 0.75; }
.flow { fill: none; stroke: var(--mark); stroke-width: 1.5; }
.dashed { stroke-dasharray: 5 4; }
.head { fill: var(--mark); }
"""
ARROW = (
    '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    ' orient="auto-start-reverse"><path class="head" d="M0 0 8 4 0 8z"/></marker>'
)

LETTER = 8.6  # the width of a letter of the fixed-width font
ROW, GAP, PAD = 30, 84, 14


class Record(NamedTuple):
    """A record of a line, and what it was made of."""

    shard: str
    text: str
    sources: Tuple[str, ...]


Line = Dict[str, List[Record]]
Place = Tuple[float, float, float]  # the middle, and the width


def sections(source: str) -> Iterator[Tuple[str, str, List[str]]]:
    """The name, the title and the lines of each section."""
    found: List[Tuple[str, str, List[str]]] = []
    for line in source.splitlines():
        heading = re.match(r"\[(\w+)\] (.+)", line)
        if heading:
            found.append((heading[1], heading[2], []))
        elif line and not line.startswith("#"):
            found[-1][2].append(line)
    return iter(found)


def shown(text: str) -> str:
    """A text as it is drawn."""
    return text.replace("_", " ")


def drawing(title: str, width: float, height: float, parts: Iterable[str]) -> str:
    """A whole file."""
    size = f"{math.ceil(width)} {math.ceil(height)}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}"'
            f' width="{math.ceil(width)}" height="{math.ceil(height)}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f"<defs>{ARROW}</defs>",
            *parts,
            "</svg>\n",
        ]
    )


def rectangle(kind: str, x: float, y: float, width: float, height: float, round: int = 6) -> str:
    """A rectangle by its upper left corner."""
    return (
        f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
        f' rx="{round}"/>'
    )


def label(text: str, x: float, y: float, kind: str = "") -> str:
    """A text by its middle."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(text)}</text>'


def pill(text: str, x: float, y: float, kind: str = "step") -> List[str]:
    """A text on a ground of its own."""
    width = len(text) * LETTER + 18
    return [rectangle("pill", x - width / 2, y - 12, width, 24, 12), label(text, x, y, kind)]


# -- records on their way


def line_of(text: str) -> Line:
    """The records of a line, by shard."""
    line: Line = {}
    for part in text.split(" | "):
        shard, _, records = part.strip().partition(":")
        found = [record.partition("<") for record in records.split()]
        line[shard] = [
            Record(shard, name, tuple(filter(None, sources.split("+"))))
            for name, _, sources in found
        ]
    return line


def sources_of(record: Record, above: Line) -> Iterator[Tuple[str, int]]:
    """Where the records stand that a record was made of: shard, and number there."""
    for source in record.sources:
        name, _, which = source.partition("/")
        shards = [record.shard, *(shard for shard in above if shard != record.shard)]
        if which in above:
            shards = [which]
        places = [
            (shard, number)
            for shard in shards
            for number, each in enumerate(above[shard])
            if each.text == name
        ]
        if not places:
            raise ValueError(f"there is no record {source!r} above {record}")
        yield places[int(which) - 1 if which.isdigit() else 0]


def width_of(record: Record) -> float:
    """How wide a record is drawn."""
    return max(34, len(record.text) * LETTER + 16)


def arrows(lines: List[Line], places: List[Dict[Tuple[str, int], Place]]) -> Tuple[List[str], set]:
    """The arrows between records, and the records that have one: line, shard and number."""
    parts, used = [], set()
    for number, line in enumerate(lines[1:], 1):
        above = places[number - 1]
        for (shard, index), (x, y, _) in places[number].items():
            for source in sources_of(line[shard][index], lines[number - 1]):
                used.add((number - 1, *source))
                above_x, above_y, _ = above[source]
                top, bottom = above_y + ROW / 2, y - ROW / 2 - 2
                bend = (bottom - top) / 2
                parts.append(
                    f'<path class="flow" marker-end="url(#head)" d="M{above_x:g} {top:g}'
                    f" C{above_x:g} {top + bend:g} {x:g} {bottom - bend:g} {x:g} {bottom:g}"
                    '"/>'
                )
    return parts, used


def flow(title: str, text: List[str]) -> str:
    """Draw records on their way."""
    steps = [line[4:] for line in text if line.startswith("--- ")]
    lines = [line_of(line) for line in text if not line.startswith("--- ")]
    shards = list(lines[0])
    widths = {
        shard: max(
            100, *(sum(width_of(each) + 10 for each in line[shard]) + 2 * PAD for line in lines)
        )
        for shard in shards
    }
    total = sum(widths.values()) + 16 * (len(shards) - 1)
    longest = max(len(step) for step in steps) * LETTER + 24
    if total < longest:
        widths = {shard: width + (longest - total) / len(shards) for shard, width in widths.items()}
        total = longest
    height = 34 + len(lines) * ROW + len(steps) * GAP + PAD

    parts, left = [], 1.0
    corner = {}
    for shard in shards:
        corner[shard] = left
        parts.append(rectangle("panel", left, 1, widths[shard], height - 2, 10))
        parts.append(label(f"shard {shard}", left + widths[shard] / 2, 16, "plain small"))
        left += widths[shard] + 16

    places: List[Dict[Tuple[str, int], Place]] = []
    for number, line in enumerate(lines):
        y = 34 + number * (ROW + GAP) + ROW / 2
        row: Dict[Tuple[str, int], Place] = {}
        for shard in shards:
            used = sum(width_of(each) + 10 for each in line[shard]) - 10
            x = corner[shard] + (widths[shard] - used) / 2
            for index, record in enumerate(line[shard]):
                row[shard, index] = (x + width_of(record) / 2, y, width_of(record))
                x += width_of(record) + 10
        places.append(row)

    paths, used = arrows(lines, places)
    parts += paths
    for number, (line, row) in enumerate(zip(lines, places)):
        for (shard, index), (x, y, width) in row.items():
            ends = number < len(lines) - 1 and (number, shard, index) not in used
            kind = "record last" if ends else "record"
            parts.append(rectangle(kind, x - width / 2, y - ROW / 2, width, ROW))
            parts.append(label(shown(line[shard][index].text), x, y, "last" if ends else ""))
    for number, step in enumerate(steps):
        y = 34 + (number + 1) * ROW + number * GAP + GAP / 2
        parts += pill(step, total / 2 + 1, y)
    return drawing(title, total + 2, height, parts)


# -- boxes with arrows

WIDTH, HEIGHT, COLUMN, LINE = 172, 54, 290, 98


def edge(box: Tuple[float, float], towards: Tuple[float, float]) -> Tuple[float, float]:
    """Where a line between the middles of two boxes leaves the first."""
    x, y = towards[0] - box[0], towards[1] - box[1]
    across = (WIDTH / 2 + 4) / abs(x) if x else math.inf
    along = (HEIGHT / 2 + 4) / abs(y) if y else math.inf
    part = min(across, along)
    return box[0] + x * part, box[1] + y * part


def boxes(title: str, text: List[str]) -> str:
    """Draw boxes with arrows."""
    words = [line.split(" ", 1) for line in text]
    middles: Dict[str, Tuple[float, float]] = {}
    drawn, under, over = [], [], []
    for kind, rest in words:
        if kind == "box":
            name, at, content = rest.split(" ", 2)
            column, row = map(float, at.split(","))
            x, y = 12 + WIDTH / 2 + column * COLUMN, 30 + HEIGHT / 2 + row * LINE
            middles[name] = (x, y)
            first, _, second = content.partition(" / ")
            drawn.append(rectangle("box", x - WIDTH / 2, y - HEIGHT / 2, WIDTH, HEIGHT, 8))
            drawn.append(label(first, x, y - (10 if second else 0), "plain"))
            drawn.append(label(second, x, y + 11, "plain small"))
        elif kind in ("arrow", "dashed"):
            start, end, name = rest.split(" ", 2)
            # Where there is one the other way round, each keeps to its own side.
            back = any(other.startswith(f"{end} {start} ") for _, other in words)
            shift = 16.0 if back else 0.0
            (x1, y1), (x2, y2) = (
                edge(middles[start], middles[end]),
                edge(middles[end], middles[start]),
            )
            length = math.hypot(x2 - x1, y2 - y1)
            dx, dy = -(y2 - y1) / length * shift, (x2 - x1) / length * shift
            x1, y1, x2, y2 = x1 + dx, y1 + dy, x2 + dx, y2 + dy
            under.append(
                f'<path class="flow{" dashed" if kind == "dashed" else ""}"'
                f' marker-end="url(#head)" d="M{x1:g} {y1:g} L{x2:g} {y2:g}"/>'
            )
            over += arrow_label(name, (x1 + x2) / 2, (y1 + y2) / 2)
    right = max(x for x, _ in middles.values()) + WIDTH / 2 + 12
    bottom = max(y for _, y in middles.values()) + HEIGHT / 2 + 16
    for kind, rest in words:
        if kind == "frame":
            names = [word for word in rest.split() if word in middles]
            caption = rest.split(names[-1] + " ", 1)[1]
            xs, ys = zip(*(middles[name] for name in names))
            x, y = min(xs) - WIDTH / 2 - 10, min(ys) - HEIGHT / 2 - 26
            width, height = max(xs) + WIDTH / 2 + 10 - x, max(ys) + HEIGHT / 2 + 14 - y
            under.insert(0, rectangle("frame", x, y, width, height, 10))
            under.insert(1, label(caption, x + width / 2, y + 13, "small"))
    return drawing(title, right, bottom, [*under, *drawn, *over])


def arrow_label(text: str, x: float, y: float) -> List[str]:
    """What an arrow means, beside its middle."""
    width = len(text) * 7.4 + 14
    return [
        rectangle("pill", x - width / 2, y - 10, width, 20, 10),
        label(text, x, y, "small step"),
    ]


def drawings() -> Dict[str, str]:
    """All drawings, by their files' names."""
    made = {}
    for name, title, text in sections(SOURCE.read_text("utf-8")):
        draw = boxes if text[0].startswith("box ") else flow
        made[f"{name}.svg"] = draw(title, text)
    return made


def main() -> None:
    """Write the files, and remove those that are not described any more."""
    FOLDER.mkdir(exist_ok=True)
    made = drawings()
    for file in FOLDER.glob("*.svg"):
        if file.name not in made:
            file.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
