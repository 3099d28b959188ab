"""What functions take from the standard library by name, and other versions call otherwise."""

import asyncio
import concurrent.futures
import dataclasses
import os
import socket
import statistics
from asyncio import TimeoutError
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


getenv, MISSING = os.environ.get, dataclasses.MISSING


@shape()
def the_environment(x):
    return [environ is os.environ, getenv("REDGREASE_HAS_NO_SUCH_VARIABLE", x), "PATH" in environ]


@shape(3, 7)
def objects_that_there_is_one_of(x):
    return [MISSING is dataclasses.MISSING, x]
