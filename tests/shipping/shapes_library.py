"""What functions take from the standard library by name, and other versions call otherwise."""

import statistics
from enum import Enum, EnumMeta
from hashlib import sha256
from re import compile as pattern
from re import error
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
