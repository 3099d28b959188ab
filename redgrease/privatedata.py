"""The "private data" of registrations: text for people that looks like Python, but is not quite.

1.0 prints ``{'sessionId':'…', 'depsList':[…]}``; 1.2 prints more, with words that have no quotes
(``true``, ``null``, ids).  What follows reads both, and whatever else looks similar.
"""

import re
from typing import Any, Dict, Match, Optional, Pattern, Tuple, Union

__all__ = ["parse_PD", "read_signature", "signed"]

_SPACE = re.compile(r"\s*")
# Quotes within a text are not escaped, so a text ends at a quote before a comma or a bracket.
_QUOTED = re.compile(r"(['\"])(.*?)\1(?=\s*(?:[,:\]}]|$))", re.DOTALL)
_BARE_NAME = re.compile(r"[^:,\[\]{}]+")
_BARE_VALUE = re.compile(r"[^,\[\]{}]+")

_WORDS = {"null": None, "None": None, "true": True, "True": True, "false": False, "False": False}


class _Reader:
    """Reads one text, from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def match(self, pattern: Pattern[str]) -> Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise ValueError(f"unexpected text at {self.at}")
        self.at = found.end()
        return found

    def next_is(self, mark: str) -> bool:
        """Whether the mark comes next; if so, pass it."""
        self.match(_SPACE)
        if self.text.startswith(mark, self.at):
            self.at += len(mark)
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.next_is(mark):
            raise ValueError(f"no {mark!r} at {self.at}")

    def word(self, bare: Pattern[str]) -> Any:
        self.match(_SPACE)
        if self.text[self.at : self.at + 1] in ("'", '"'):
            return self.match(_QUOTED).group(2)
        word = self.match(bare).group().strip()
        if word in _WORDS:
            return _WORDS[word]
        return int(word) if re.match(r"-?\d+$", word) else word

    def value(self) -> Any:
        if self.next_is("{"):
            members: Dict[str, Any] = {}
            while not self.next_is("}"):
                name = str(self.word(_BARE_NAME))
                self.expect(":")
                members[name] = self.value()
                self.next_is(",")
            return members
        if self.next_is("["):
            items = []
            while not self.next_is("]"):
                items.append(self.value())
                self.next_is(",")
            return items
        return self.word(_BARE_VALUE)


def parse_PD(text: Union[str, bytes, None]) -> Dict[str, Any]:
    """Take the private data of a registration apart, as well as it goes.

    Args:
        text: The text that the server sent.

    Returns:
        Its names and values; of a text that cannot be read, only itself, named ``text``.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not text:
        return {}
    try:
        value = _Reader(text).value()
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"text": text}


# -- the digest of a function, kept where servers keep descriptions

_SIGNATURE = re.compile(r"(?:(.*) )?\[redgrease ([0-9a-f]{16})\]", re.DOTALL)


def signed(description: Optional[str], fingerprint: str) -> str:
    """Note the digest of a function behind a description.

    Args:
        description: The description, or None.
        fingerprint: The digest.

    Returns:
        Both as one text.
    """
    words = [] if description is None else [description]
    return " ".join([*words, f"[redgrease {fingerprint}]"])


def read_signature(description: Optional[str]) -> Tuple[Optional[str], Optional[str]]:
    """The reverse of :func:`signed`.

    Args:
        description: A description with a digest or without.

    Returns:
        The description and the digest; None where there is none.
    """
    found = None if description is None else _SIGNATURE.fullmatch(description)
    return (description, None) if found is None else (found.group(1), found.group(2))
