"""Gears where Redis tells what there is: in MODULE LIST, COMMAND and INFO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from .command_names import GEARS
from .resp import bulk, reply_end

if TYPE_CHECKING:
    from .client import Client

VERSION = 10213
"""The version of the module that is emulated, as Redis counts: 1.2.13."""
NAME = b"rg"

Amendment = Callable[[bytes, bool], bytes]
"""Puts Gears into a reply of Redis; is told whether it is for RESP3."""
_MODULES = b"# Modules\r\n"
_LINE = b"module:name=rg,ver=%d,api=1,filters=1,usedby=[],using=[],options=[]\r\n" % VERSION
SECTIONS = frozenset({b"EVERYTHING", b"MODULES", b"RG"})
"""What asks INFO for all that modules, or this one, have to tell."""


async def told(client: Client, request: bytes, words: list[bytes], amend: Amendment) -> bytes:
    """Have Redis carry out a command that tells what there is, and put Gears into its reply.

    Args:
        client: Who has sent it.
        request: The command as it was sent.
        words: The same, taken apart.
        amend: What :func:`amendment` has found for it.

    Returns:
        The reply.
    """
    await client.mark()
    reply = await client.rights.collect(request)
    if reply.startswith(b"-") and not reply.startswith(b"-ERR Invalid command"):
        return reply
    if words[0].upper() == b"INFO":
        if await client.rights.refusal(b"RG.DUMPREGISTRATIONS", words):
            return reply  # who may not ask for registrations is not told of them here
        return with_sections(reply, await client.proxy.link.call(client.number, "", words))
    return amend(reply, bool(client.flags))


def amendment(name: bytes, words: Sequence[bytes]) -> Amendment | None:
    """What to do with Redis's reply to a command, if anything.

    Args:
        name: Name of the command, in capitals.
        words: The command.
    """
    rest = [word.upper() for word in words[1:]]
    if name == b"MODULE" and rest == [b"LIST"]:
        return with_module
    if name == b"INFO" and any(word in SECTIONS or word[:3] == b"RG_" for word in rest):
        return lambda reply, resp3: reply  # see told()
    if name != b"COMMAND":
        return None
    if not rest or rest == [b"INFO"]:
        return with_commands
    if rest[0] == b"COUNT" and len(rest) == 1:
        return lambda reply, resp3: b":%d\r\n" % (int(reply[1:]) + len(GEARS))
    if rest[0] == b"INFO" and not GEARS.isdisjoint(rest):
        return lambda reply, resp3: with_information(reply, rest[1:], resp3)
    if rest[0] == b"LIST":
        listed = _listed(rest[1:], words[2:])
        return lambda reply, resp3: _longer(reply, [bulk(one) for one in listed])
    if rest[0] == b"GETKEYS" and len(rest) > 1 and rest[1] in GEARS:
        return lambda reply, resp3: _keys(words[2:])
    return None


def with_sections(reply: bytes, more: bytes) -> bytes:
    """The reply of INFO, with Gears among the modules, and more sections behind.

    Args:
        reply: Redis's reply, a text; in RESP3 it begins with ``txt:``.
        more: The sections, a text in RESP2.
    """
    if not (reply.startswith((b"$", b"=")) and more.startswith(b"$")):
        return reply  # one of them is an error
    text, added = (one.partition(b"\r\n")[2][:-2] for one in (reply, more))
    between = b"\r\n" if added and text not in (b"", b"txt:") else b""
    text = text.replace(_MODULES, _MODULES + _LINE, 1) + between + added
    return b"%b%d\r\n%b\r\n" % (reply[:1], len(text), text)


def with_module(reply: bytes, resp3: bool) -> bytes:
    """The reply of MODULE LIST, with Gears as the last of the modules.

    Args:
        reply: Redis's reply.
        resp3: Whether the connection speaks RESP3.

    Returns:
        The reply; unchanged if it is an error.
    """
    fields = [b"%4\r\n" if resp3 else b"*8\r\n", bulk(b"name"), bulk(NAME), bulk(b"ver")]
    fields += [b":%d\r\n" % VERSION, bulk(b"path"), bulk(b"redgrease"), bulk(b"args"), b"*0\r\n"]
    return _longer(reply, [b"".join(fields)])


# -- COMMAND -------------------------------------------------------------------------------------


def with_commands(reply: bytes, resp3: bool) -> bytes:
    """The reply of COMMAND, with the commands of Gears behind Redis's own."""
    return _longer(reply, [_entry(name, resp3) for name in sorted(GEARS)])


def with_information(reply: bytes, names: Sequence[bytes], resp3: bool) -> bytes:
    """The reply of COMMAND INFO, with what there is to say about commands of Gears.

    Args:
        reply: Redis's reply.
        names: The names of the commands, in capitals.
        resp3: Whether the connection speaks RESP3.
    """
    if not reply.startswith(b"*"):
        return reply
    start = reply.index(b"\r\n") + 2
    parts = [reply[:start]]
    for name in names:
        end = reply_end(reply, start)
        parts.append(_entry(name, resp3) if name in GEARS else reply[start:end])
        start = end
    return b"".join(parts)


def _entry(name: bytes, resp3: bool) -> bytes:
    """A command as Redis 7 describes it: commands of modules take any number of words."""
    flags, key = [b"readonly", b"module"], b":0\r\n:0\r\n:0\r\n"
    specs = b""
    if name == b"RG.TRIGGER":
        flags.append(b"getkeys-api")
    elif name == b"RG.TRIGGERONKEY":
        key, specs = b":2\r\n:2\r\n:1\r\n", _second_word(resp3)
    many, none = b"~" if resp3 else b"*", b"~0\r\n" if resp3 else b"*0\r\n"
    shown = many + b"%d\r\n" % len(flags) + b"".join(b"+%b\r\n" % flag for flag in flags)
    categories = many + b"2\r\n+@read\r\n+@slow\r\n"
    keys = many + b"1\r\n" + specs if specs else none
    head = b"*10\r\n" + bulk(name.lower()) + b":-1\r\n"
    return b"".join((head, shown, key, categories, none, keys, b"*0\r\n"))


def _second_word(resp3: bool) -> bytes:
    """The description of a key that is the second argument."""

    def pairs(*items: tuple[bytes, bytes]) -> bytes:
        head = b"%%%d\r\n" % len(items) if resp3 else b"*%d\r\n" % (2 * len(items))
        return head + b"".join(bulk(name) + value for name, value in items)

    flags = b"~2\r\n" if resp3 else b"*2\r\n"
    index = pairs((b"index", b":2\r\n"))
    area = pairs((b"lastkey", b":0\r\n"), (b"keystep", b":1\r\n"), (b"limit", b":0\r\n"))
    return pairs(
        (b"flags", flags + b"+RO\r\n+access\r\n"),
        (b"begin_search", pairs((b"type", bulk(b"index")), (b"spec", index))),
        (b"find_keys", pairs((b"type", bulk(b"range")), (b"spec", area))),
    )


def _listed(options: Sequence[bytes], words: Sequence[bytes]) -> list[bytes]:
    """The commands of Gears that COMMAND LIST names.

    Args:
        options: Its arguments, in capitals.
        words: The same as they were sent.
    """
    names = sorted(name.lower() for name in GEARS)
    if not options:
        return names
    if len(options) != 3 or options[0] != b"FILTERBY":
        return []
    if options[1] == b"MODULE":
        return names if words[2] == NAME else []
    if options[1] == b"ACLCAT":
        return names if options[2] in (b"READ", b"SLOW") else []
    pattern = options[2].decode("latin-1").lower()
    return [name for name in names if fnmatchcase(name.decode(), pattern)]


def _keys(words: Sequence[bytes]) -> bytes:
    """The reply of COMMAND GETKEYS for a command of Gears."""
    if words[0].upper() != b"RG.TRIGGERONKEY":
        return b"-ERR The command has no key arguments\r\n"
    if len(words) < 3:
        return b"-ERR Invalid arguments specified for command\r\n"
    return b"*1\r\n" + bulk(words[2])


def _longer(reply: bytes, more: Sequence[bytes]) -> bytes:
    """An array with more elements behind its own; unchanged if it is none."""
    if not reply.startswith((b"*", b"~")):
        return reply
    head, _, rest = reply.partition(b"\r\n")
    return b"%b%d\r\n%b%b" % (head[:1], int(head[1:]) + len(more), rest, b"".join(more))
