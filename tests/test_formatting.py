"""Logging."""

import json
import logging

import pytest

from redgrease import formatting


@pytest.fixture(autouse=True)
def root(monkeypatch):
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    formatters = [handler.formatter for handler in handlers]
    yield root
    root.setLevel(level)
    root.handlers[:] = handlers
    for handler, formatter in zip(handlers, formatters):
        handler.setFormatter(formatter)


def record():
    made = logging.LogRecord("name", logging.INFO, "path", 7, "hello %s", ("you",), None, "func")
    made.created = 0.25
    return made


def test_times_are_utc_with_microseconds():
    assert formatting.log_formatter.format(record()) == "\t".join(
        ["1970-01-01T00:00:00.250000", "INFO", "name.func@7:", "hello you", "EOL"]
    )
    formatter = formatting.UTC_ISO8601_Formatter("%(asctime)s", datefmt="%H:%M")
    assert formatter.format(record()) == "00:00"


@pytest.mark.parametrize("fmt", [None, "%(message)s", logging.Formatter("%(message)s")])
def test_formats_may_be_texts_or_formatters(root, fmt):
    formatting.initialize_logger(logging.ERROR, fmt)
    assert root.level == logging.ERROR
    assert "hello you" in root.handlers[0].formatter.format(record())


def test_a_handler_is_made_if_there_is_none(root):
    root.handlers[:] = []
    formatting.initialize_logger(config={"version": 1, "incremental": True})
    assert len(root.handlers) == 1


def test_configuration_files(tmp_path, root):
    good = tmp_path / "log.json"
    good.write_text(json.dumps({"version": 1, "root": {"level": "ERROR"}}))
    existing = logging.getLogger("redgrease.loader")
    formatting.initialize_logger(config=good)
    assert root.level == logging.ERROR and not existing.disabled
    for name in ("bad.json", "bad.ini"):
        bad = tmp_path / name
        bad.write_text("{")
        with pytest.raises(ValueError, match="no configuration of logging"):
            formatting.initialize_logger(config=str(bad))
    with pytest.raises(FileNotFoundError):
        formatting.initialize_logger(config=tmp_path / "none.json")
