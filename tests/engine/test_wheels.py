"""Wheels, and the form in which they travel."""

import json
import struct

import pytest
from support.tiny_wheel import make_wheel

from redgrease.engine import wheels
from redgrease.engine.wheels import RequirementError, needed_by, pack, unpack


def test_what_belongs_to_a_requirement(tmp_path):
    main = make_wheel(tmp_path, needs=["tinyhelp", "tinyother; extra == 'more'",
                                       "absent; python_version < '3'"])  # fmt: skip
    other = make_wheel(tmp_path, "tinyother", needs=["tinypack"])
    helper = make_wheel(tmp_path, "tinyhelp")
    everything = sorted(map(str, (main, helper, other)))
    assert needed_by("tinypack", everything) == [str(helper), str(main)]
    assert needed_by("TINYPACK[more]>=1", everything) == everything
    assert needed_by("tinyhelp", everything) == [str(helper)]
    assert needed_by("./some/path", everything) == everything
    assert needed_by("nosuch", everything) == everything
    helper.write_bytes(b"broken")
    assert needed_by("tinypack", everything) == everything


def test_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(wheels, "CHUNK", 100)
    paths = [make_wheel(tmp_path), make_wheel(tmp_path, "tinyhelp")]
    chunks = pack("name >= 1", paths)
    assert {len(chunk) for chunk in chunks[:-1]} == {100}
    parcel = unpack(chunks)
    assert parcel.name == "name >= 1"
    assert parcel.wheels == {path.name: path.read_bytes() for path in paths}


def altered(chunk, **changes):
    """A chunk with another header."""
    start = len(b"redgrease requirement\n")
    version, size = struct.unpack_from(">II", chunk, start)
    header = json.loads(chunk[start + 8 : start + 8 + size])
    version = changes.pop("version", version)
    header.update(changes)
    text = json.dumps(header).encode()
    return chunk[:start] + struct.pack(">II", version, len(text)) + text + chunk[start + 8 + size :]


@pytest.mark.parametrize(
    "change, text",
    [
        (lambda chunk: b"", "not an exported requirement"),
        (lambda chunk: b"nonsense" * 100, "not an exported requirement"),
        (lambda chunk: altered(chunk, version=2), "Requirement version mismatch"),
        (lambda chunk: altered(chunk, os="beos"), "compiled_os = beos, .*OS mismatch"),
        (lambda chunk: altered(chunk, wheels=1), "damaged header"),
        (lambda chunk: altered(chunk, wheels=[]), "damaged content"),
        (lambda chunk: chunk[:60], "damaged header"),
        (lambda chunk: chunk[:-1], "damaged content"),
        (lambda chunk: chunk + b"x", "damaged content"),
        (lambda chunk: chunk[:-9] + b"x" + chunk[-8:], "damaged content"),
        (
            lambda chunk: chunk.replace(b"tinypack-1.0-py3", b"../ypack-1.0-py3", 1),
            "damaged content",
        ),
    ],
)
def test_damaged_chunks(tmp_path, change, text):
    (chunk,) = pack("name", [make_wheel(tmp_path)])
    with pytest.raises(RequirementError, match=text):
        unpack([change(chunk)])
