"""What the documentation says about names is so."""

import importlib
import re
from pathlib import Path

import redis

import redgrease
from redgrease.client import Gears
from redgrease.gears import OpenGearFunction

PAGE = Path(__file__).parents[2] / "docs" / "moving" / "names.md"
TEXT, NEW = PAGE.read_text("utf-8").split("## New since then")


def table():
    """Module, name and what is said of it, of each row."""
    module = None
    for line in TEXT.splitlines():
        heading = re.match(r"## (redgrease[\w.]*)", line)
        row = re.match(r"\| `([\w.]+)` \| (\w+) \|", line)
        if heading:
            module = heading[1]
        elif row:
            yield module, row[1], row[2]


def is_there(module, name):
    thing = importlib.import_module(module)
    if (module, name) == ("redgrease.client", "Gears.config"):
        return True  # of objects: tests/test_gears_client.py
    for part in name.split("."):
        if not hasattr(thing, part):
            return False
        thing = getattr(thing, part)
    return True


def test_each_name_is_there_or_not_as_it_says():
    rows = list(table())
    assert len(rows) > 280
    assert {said for _, _, said in rows} == {"same", "gone"}
    wrong = [row for row in rows if is_there(*row[:2]) != (row[2] == "same")]
    assert wrong == []


def test_new_names_are_there():
    modules = {}
    for line in NEW.splitlines():
        row = re.match(r"\| (redgrease[\w.]*)(?:, `(\w+)`)? \| (.*) \|", line)
        if row:
            for name in re.findall(r"`(\w+)`", row[3].partition("all but")[0]):
                modules.setdefault(row[1], []).append(f"{row[2]}.{name}" if row[2] else name)
    own = {"Gears.timeout", "OpenGearFunction.defaults"}  # attributes of objects
    missing = [
        (module, name)
        for module, names in modules.items()
        for name in names
        if name not in own and not is_there(module, name)
    ]
    assert missing == [] and len(modules) > 5


def test_every_public_name_is_listed():
    listed = {(module, name) for module, name, _ in table()}
    new = set(re.findall(r"`(\w+)`", NEW))
    public = [("redgrease", name) for name in redgrease.__all__]
    for module, cls in (("redgrease.client", Gears), ("redgrease.gears", OpenGearFunction)):
        public += [
            (module, f"{cls.__name__}.{name}") for name in dir(cls) if not name.startswith("_")
        ]
    unlisted = [
        row
        for row in public
        if row not in listed
        and row[1].rpartition(".")[2] not in new
        and (row[0], "GearFunction." + row[1].rpartition(".")[2]) not in listed
    ]
    assert unlisted == []


def test_every_operation_has_its_section():
    operations = (PAGE.parents[1] / "guide" / "operations.md").read_text("utf-8")
    from redgrease.chaining import Chaining

    for name in vars(Chaining):
        if not name.startswith("_"):
            assert f"\n## {name}\n" in operations and f"drawings/{name}.svg" in operations
            section = operations.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
            kind = re.search(rf"^\| \[`{name}`\].* (local|global) \|$", operations, re.M)[1]
            assert f"*{kind.capitalize()}.*" in section and "ommonly" in section, name


def test_every_setting_and_every_gears_command_is_in_the_guide():
    guide = PAGE.parents[1] / "guide"
    settings = (guide / "configuration.md").read_text("utf-8")
    from redgrease.config import Config

    assert [name for name in Config.ValueTypes if f"`{name}`" not in settings] == []
    client = (guide / "client.md").read_text("utf-8")
    assert [
        name
        for name in dir(Gears)
        if not name.startswith("_")
        and name not in ("execute", "send", "timeout")
        and f"`{name}`" not in client
    ] == []


def test_what_is_said_of_the_names_of_redisgears_is_so(r):
    text = (PAGE.parent / "redisgears.md").read_text("utf-8").partition("## Every name")[2]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    rows = [row for row in rows if len(row) == 3]
    from redgrease.commands import TABLE

    said = {command for row in rows for command in re.findall(r"`(RG\.[A-Z]+)`", row[0])}
    assert {name for name in TABLE if name.startswith("RG.")} <= said
    for command in said - {"RG.HELLO"}:
        try:
            r.execute_command(command)
        except redis.ResponseError as error:
            assert "unknown command" not in str(error).lower(), command
    for name in re.findall(r"`([\w.]+)`", " ".join(row[2] for row in rows if "RG." in row[0])):
        module, thing = (
            ("config", "Config.") if name.startswith("config.") else ("client", "Gears.")
        )
        assert is_there(f"redgrease.{module}", thing + name.rpartition(".")[2]), name
    names = [name for row in rows if "RG." not in row[0] for name in re.findall(r"`(\w+)`", row[0])]
    assert len(names) > 40
    script = f"GB('ShardsIDReader').map(lambda x: [n for n in {names} if n not in NAMES]).run()"
    result = r.gears.pyexecute("NAMES = set(globals())\n" + script)
    assert result.value == b"[]"
