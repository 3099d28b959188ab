"""Reads one key without anybody noticing: an ordinary read of a missing key is an event itself."""

from __future__ import annotations

from typing import Any

from .connection import ErrorReply, text_or_bytes
from .errors import GearsError
from .keyspace import Keyspace
from .pages import key_record

_SCRIPT = b"""
local key = KEYS[1]
if not redis.call('OBJECT', 'ENCODING', key) then return {'none'} end
local kind = redis.call('TYPE', key)['ok']
if ARGV[1] == '1' then
  if kind == 'string' then return {kind, redis.call('GET', key)} end
  if kind == 'list' then return {kind, redis.call('LRANGE', key, 0, -1)} end
  if kind == 'hash' then return {kind, redis.call('HGETALL', key)} end
end
return {kind}
"""
"""``OBJECT`` is the one command that looks for a key and tells nobody that it is missing."""
_READ = {
    "string": (b"GET", ()),
    "list": (b"LRANGE", (b"0", b"-1")),
    "hash": (b"HGETALL", ()),
}


def kind_of(keyspace: Keyspace, key: bytes) -> str:
    """The type of a key, as ``TYPE`` says it."""
    return str(_look(keyspace, key, False)[0])


def event_record(keyspace: Keyspace, key: bytes, event: str) -> dict[str, Any]:
    """The record of an event: the event, and the key as it is now."""
    reply = _look(keyspace, key, True)
    value = reply[1] if len(reply) > 1 else None
    record = key_record(text_or_bytes(key), str(reply[0]), value)
    record["event"] = event
    return record


def _look(keyspace: Keyspace, key: bytes, value: bool) -> list[Any]:
    reply = keyspace.call((b"EVAL", _SCRIPT, b"1", key, b"1" if value else b"0"))
    if type(reply) is list:
        return reply
    if not str(reply).startswith(("NOPERM", "ERR unknown command")):
        raise GearsError(str(reply))
    encoding = keyspace.call((b"OBJECT", b"ENCODING", key))  # scripts are forbidden here
    if encoding is None or type(encoding) is ErrorReply:
        return ["none"]
    kind = str(keyspace.call((b"TYPE", key)))
    if not value or kind not in _READ:
        return [kind]
    name, words = _READ[kind]
    found = keyspace.call((name, key, *words))
    return [kind] if type(found) is ErrorReply else [kind, found]
