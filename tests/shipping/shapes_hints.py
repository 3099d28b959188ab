"""Decorators that go by the annotations of what they decorate."""

import enum
import functools
import inspect
import typing
from inspect import signature as read

from shaping import collector

SHAPES, NEEDS, shape = collector()


class Mode(enum.Enum):
    FAST = "f"


def converting(function):
    @functools.wraps(function)
    def inner(**values):
        hints = function.__annotations__
        return function(**{name: hints[name](value) for name, value in values.items()})

    return inner


@converting
def ordered(amount: int, mode: Mode, *, factor: float = 2.0) -> typing.List[float]:
    return [amount * factor, mode.name]


@shape()
def converted_arguments(x):
    return ordered(amount=str(x), mode="f")


def counting(function):
    def inner(*values):
        kinds = [each.annotation for each in read(function).parameters.values()]
        return [kind.__name__ for kind in kinds] + function(*values)

    return inner


@shape()
@counting
def annotations_by_a_signature(x: int):
    return [x]


def picky(function):
    def inner(*values):
        import inspect

        optional = inspect.signature(function).parameters["x"].annotation
        return [optional.__args__[0].__name__, *function(*values)]

    return inner


@shape()
@picky
def annotations_of_other_kinds(x: typing.Optional[Mode]):
    return [x]


PROVIDED = {int: 7, Mode: Mode.FAST}


def injecting(function):
    def inner(x):
        hints = typing.get_type_hints(function)
        return function(x, *(PROVIDED[hint] for hint in hints.values()))

    return inner


@shape()
@injecting
def injected_arguments(x, number: int, mode: Mode):
    return [x, number, mode.value]


class Service:
    def handle(self, x: int, mode: "Mode"):
        return x

    def names(self):
        return sorted(inspect.getfullargspec(self.handle).annotations)


@shape()
def annotations_of_methods(x):
    return [Service().names(), Service().handle.__annotations__["mode"]]
