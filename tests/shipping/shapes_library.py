"""What functions take from the standard library by name, and other versions call otherwise."""

import argparse
import asyncio
import calendar
import concurrent.futures
import contextlib
import dataclasses
import http.cookies
import io
import logging
import os
import pathlib
import pprint
import reprlib
import socket
import statistics
import string
from asyncio import TimeoutError
from calendar import SATURDAY as LAST
from calendar import SUNDAY
from concurrent.futures import TimeoutError as Late
from enum import Enum, EnumMeta
from hashlib import sha256
from os import environ
from re import compile as pattern
from re import error
from socket import timeout
from threading import Lock
from weakref import ref

from shaping import collector

SHAPES, NEEDS, shape = collector()

KEYS, ITERATOR = type({}.keys()), type(iter([]))
SPREAD = statistics.NormalDist(1, 2)


@shape()
def renamed_classes(x):
    lock = Lock()
    with lock:
        try:
            pattern("(")
        except error:
            return [lock.locked(), x]


class Sorted(EnumMeta):
    def __iter__(cls):
        return iter(sorted(super().__iter__(), key=lambda member: member.name))


class Word(Enum, metaclass=Sorted):
    TWO = 2
    ONE = 1


@shape()
def metaclass_of_an_enumeration(x):
    return [word.value for word in Word]


@shape()
def digests(x):
    return sha256(b"%d" % x).hexdigest()


@shape()
def types_without_a_name(x):
    return [isinstance({}.keys(), KEYS), isinstance(iter([x]), ITERATOR), ref(KEYS)() is KEYS]


@shape(3, 8)
def values_whose_state_changed(x):
    return SPREAD.mean + SPREAD.stdev + x


@shape()
def errors_that_became_one(x):
    caught = []
    for kind, module in (
        (TimeoutError, asyncio),
        (Late, concurrent.futures),
        (timeout, socket),
    ):
        try:
            raise getattr(module, "timeout" if module is socket else "TimeoutError")(x)
        except kind:
            caught.append(
                kind is getattr(module, "timeout" if module is socket else "TimeoutError")
            )
    return caught


def wait(x):
    try:
        raise asyncio.TimeoutError(x)
    except TimeoutError as caught:
        return caught.args[0]


@shape()
def an_error_by_name_in_a_helper(x):
    return wait(x)


@shape()
def days_of_the_week(x):
    return [SUNDAY + x, calendar.MONDAY + x, LAST + x]


getenv, MISSING = os.environ.get, dataclasses.MISSING


@shape()
def the_environment(x):
    return [environ is os.environ, getenv("REDGREASE_HAS_NO_SUCH_VARIABLE", x), "PATH" in environ]


@shape(3, 7)
def objects_that_there_is_one_of(x):
    return [MISSING is dataclasses.MISSING, x]


adapter = logging.LoggerAdapter(logging.getLogger("redgrease"), {"user": "ann"})
formatters = [logging.Formatter(), logging.Formatter("{message}!", style="{")]
printer = pprint.PrettyPrinter(width=20, stream=io.StringIO())
shortened = reprlib.Repr()
cookies = http.cookies.SimpleCookie("a=1; b=2")
parser = argparse.ArgumentParser(prog="p")
parser.add_argument("--size", type=int, default=3)


class Prefixing(logging.LoggerAdapter):
    def process(self, message, words):
        return "%s: %s" % (self.extra["user"], message), words


prefixing = Prefixing(logging.getLogger("redgrease"), {"user": "bob"})


@shape()
def objects_for_logging(x):
    record = logging.makeLogRecord({"msg": "m%d" % x, "levelno": 20})
    adapter.debug("not seen")
    return [
        *[each.format(record) for each in formatters],
        adapter.process("a", {"extra": {}})[0],
        prefixing.process("a", {})[0],
        prefixing.isEnabledFor(50),
    ]


@shape()
def objects_that_write(x):
    return [printer.pformat({"b": x, "a": 1}), shortened.repr(list(range(10)))]


@shape()
def cookies_of_others(x):
    return [cookies.output(), cookies["a"].value, x]


@shape(3, 8)
def a_parser_of_arguments(x):
    return [parser.parse_args(["--size", str(x)]).size, parser.parse_args([]).size]


child, lower = pathlib.PurePosixPath("/a/b").joinpath, pathlib.PurePath.as_posix
joined, here = pathlib.PurePath.joinpath, pathlib.Path.cwd


@shape()
def methods_of_paths(x):
    path = pathlib.PurePosixPath("c")
    return [str(child("c")), lower(path), str(joined(path, "d")), here() == pathlib.Path.cwd()]


class Percent(string.Template):
    delimiter = "%"


class Bracket(string.Template):
    pattern = r"""\[(?:(?P<escaped>\[)|(?P<named>\w+)\]|(?P<braced>!)|(?P<invalid>))"""


@shape()
def templates_with_a_pattern(x):
    return Bracket("[a] $a").substitute(a=x)


@shape(3, 7)
def templates(x):
    return Percent("%a $a").substitute(a=x)


@contextlib.asynccontextmanager
async def doubled(x):
    yield x * 2


@shape(3, 7)
def asynchronous_context_managers(x):
    async def enter():
        async with doubled(x) as value:
            return value

    return asyncio.new_event_loop().run_until_complete(enter())
