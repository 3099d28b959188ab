"""What notebooks show of results, registrations and executions."""

import pickle
import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("attr")

from redgrease import data, views  # noqa: E402
from redgrease.results import ExecutionResult  # noqa: E402


class Page(HTMLParser):
    """The texts of a table's cells, row by row, and whether all tags are closed in order."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.other, self._open = [], "", []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, text):
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += text
        else:
            self.other += text


def test_results_are_tables():
    page = Page(ExecutionResult([{"a": 1, "b": "<x>"}, {"a": None, "c": [1]}], [])._repr_html_())
    assert page.rows == [["a", "b", "c"], ["1", "<x>", ""], ["", "", "[1]"]]
    page = Page(ExecutionResult([b"x", 2.5, None])._repr_html_())
    assert page.rows == [["#", "record"], ["0", "x"], ["1", "2.5"], ["2", "None"]]
    assert Page(ExecutionResult(42)._repr_html_()).rows[1:] == [["0", "42"]]
    assert Page(ExecutionResult([])._repr_html_()).other == "no results"


def test_texts_of_python_values_are_understood():
    page = Page(ExecutionResult([b"{'key': 'k', 'value': '1'}"])._repr_html_())
    assert page.rows == [["key", "value"], ["k", "1"]]
    page = Page(ExecutionResult(["{'key': ", "[1, 2]"])._repr_html_())
    assert [row[1] for row in page.rows[1:]] == ["{'key': ", "[1, 2]"]


def test_errors_are_below():
    page = Page(ExecutionResult([1], ["['Traceback:\\n', 'ValueError: <bad>\\n']"])._repr_html_())
    assert page.rows[1] == ["0", "1"] and "ValueError: <bad>" in page.other


def test_the_bundle():
    bundle = ExecutionResult([1])._repr_mimebundle_()
    assert bundle["text/plain"] == "ExecutionResult[list]([1])" and "<table" in bundle["text/html"]


def test_short_texts_are_not_broken_for_the_sake_of_long_ones():
    html = views.result_html(ExecutionResult([{"flag": "yes", "note": "x" * 99, "two": "a\nb"}]))
    for text, whole in (("flag", True), ("yes", True), ("x" * 99, False), ("a\nb", False)):
        (style,) = re.findall(rf'<t[hd] style="([^"]*)">{text}<', html)
        assert (style.split("white-space:")[-1].startswith("nowrap")) is whole


def test_much_is_cut():
    page = Page(ExecutionResult(["x" * 1000] * 250)._repr_html_())
    assert len(page.rows) == 101 and page.other == "… and 150 more"
    assert len(page.rows[1][1]) == views.MOST_LETTERS


def test_values_that_draw_themselves():
    class Own:
        def _repr_html_(self):
            return "<p>own</p>"

    assert ExecutionResult(Own())._repr_html_() == "<p>own</p>"


def test_lists_of_registrations_and_executions():
    registration = data.Registration(
        id="0" * 40 + "-7",
        reader="KeysReader",
        desc="a & b",
        RegistrationData={
            "mode": "async",
            "numTriggered": 3,
            "avgRunDurationMS": "301.13043478",
            "lastError": "Traceback\nValueError: no",
            "args": {"regex": "user:*", "eventTypes": ["set"]},
        },
    )
    rows = views.RegistrationRows([registration])
    assert rows == [registration] and isinstance(rows, list)
    assert pickle.loads(pickle.dumps(rows)) == rows
    page = Page(rows._repr_html_())
    row = dict(zip(*page.rows))
    assert (row["ID"], row["for"], row["triggered"]) == ("7", "user:*; eventTypes set", "3")
    assert row["avg ms"] == "301.1"
    assert (row["description"], row["last error"]) == ("a & b", "ValueError: no")
    executions = views.ExecutionRows([data.ExecutionInfo("0" * 40 + "-9", "done", False)])
    assert Page(executions._repr_html_()).rows[1] == ["9", "done", "a script"]
    assert Page(executions[:5]._repr_html_()).rows == Page(executions._repr_html_()).rows
    assert executions[0].status == "done" and executions[:5] == list(executions)
    assert Page(views.ExecutionRows()._repr_html_()).other == "no executions"


def test_jsonable():
    class Odd:
        def __repr__(self):
            return "<odd>"

    given = {b"a": (1, {2}, data.ExecID(sequence=3)), "b": data.ExecutionStatus.done, "c": Odd()}
    expected = {"a": [1, [2], "0" * 40 + "-3"], "b": "done", "c": "<odd>"}
    assert views.jsonable(given) == expected
    assert views.jsonable(data.PyStats(1, 2, 3))["PeakAllocated"] == 2


def test_short_ids():
    assert views.short(data.ExecID(sequence=12)) == "12"
    assert views.short(data.ExecID("abcdef0123" * 4, 12)) == "abcdef01-12"
    assert views.short("mine") == "mine"
