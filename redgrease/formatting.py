"""Log records in UTC and ISO 8601, and the set-up of logging for the command line."""

import configparser
import json
import logging
import logging.config
import time
from pathlib import Path
from typing import Any, Dict, Optional, Union

iso8601_datefmt = "%Y-%m-%dT%H:%M:%S.%f"
log_message_format = "\t".join(
    ["%(asctime)s", "%(levelname)s", "%(name)s.%(funcName)s@%(lineno)s:", "%(message)s", "EOL"]
)


class UTC_ISO8601_Formatter(logging.Formatter):
    """Formats times in UTC, with microseconds."""

    def formatTime(self, record: logging.LogRecord, datefmt: Optional[str] = None) -> str:
        """The time of a log record as text.

        Args:
            record: The log record.
            datefmt: A format for ``strftime``; ``%f`` stands for microseconds.
        """
        micros = f"{int(record.created % 1 * 1_000_000):06d}"
        text = (datefmt or self.datefmt or iso8601_datefmt).replace("%f", micros)
        return time.strftime(text, time.gmtime(record.created))


log_formatter = UTC_ISO8601_Formatter(log_message_format)


def initialize_logger(
    level: int = logging.DEBUG,
    fmt: Union[None, str, logging.Formatter] = None,
    config: Union[None, str, Path, Dict[str, Any]] = None,
) -> None:
    """Set up logging to stderr.

    Args:
        level: The level of the root logger.
        fmt: A format or a formatter; by default ``log_formatter``.
        config: A dict for ``logging.config.dictConfig``, or a file: ``.json``, ``.yaml`` or
            ``.ini``; the suffix decides.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be read as what its suffix says.
    """
    formatter = UTC_ISO8601_Formatter(fmt) if isinstance(fmt, str) else fmt or log_formatter
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    root.setLevel(level)
    for handler in root.handlers:
        handler.setFormatter(formatter)
    if isinstance(config, dict):
        _apply(config)
    elif config is not None:
        _configure(Path(config))


def _configure(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    suffix = path.suffix.lower()
    try:
        if suffix == ".json":
            _apply(json.loads(text))
        elif suffix in (".yaml", ".yml"):
            import yaml  # type: ignore[import-untyped,unused-ignore]

            _apply(yaml.safe_load(text))
        else:
            logging.config.fileConfig(str(path), disable_existing_loggers=False)
    except (KeyError, ValueError, RuntimeError, configparser.Error) as error:
        raise ValueError(f"{path} is no configuration of logging: {error}")


def _apply(config: Dict[str, Any]) -> None:
    # Loggers that exist go on unless the configuration says otherwise, as with a file .ini.
    logging.config.dictConfig(dict({"disable_existing_loggers": False}, **config))
