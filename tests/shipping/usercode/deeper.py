"""A module inside the package, with state, and with something that can never travel."""

import threading
import typing

DEPTH = 40
LOCK = threading.Lock()
WORD = typing.Union[str, bytes]
counter = 0


def double(value):
    return 2 * value


def bump():
    global counter
    counter += 1
    return counter


class Thing:
    def __init__(self, size):
        self.size = size

    def __eq__(self, other):
        return type(other) is type(self) and vars(other) == vars(self)

    def grown(self):
        return Thing(double(self.size))
