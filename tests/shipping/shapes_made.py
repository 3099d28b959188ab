"""Classes that Python makes in ways of its own, and metaclasses or bases of the user's."""

import typing
from dataclasses import dataclass

from shaping import collector

SHAPES, NEEDS, shape = collector()


T = typing.TypeVar("T")


class Boxes(type(typing.Generic)):
    def __new__(mcs, name, bases, names):
        made = super().__new__(mcs, name, bases, names)
        made.tag = names["tag"]
        return made


class Box(typing.Generic[T], metaclass=Boxes):
    tag = 1

    def __init__(self, content: T):
        self.content = content


class Small(Box[int]):
    tag = 2


@shape(3, 7)
def a_metaclass_of_generic_classes(x):
    return [Small(x).content, Small.tag, Box[int](x).tag]


class Constant(type):
    def __setattr__(cls, name, value):
        if not name.startswith("__") and name not in ("size", "tag"):
            raise AttributeError(name)
        super().__setattr__(name, value)


@dataclass
class Base:
    def __init_subclass__(cls, *, tag):
        cls.tag = tag


@dataclass
class Record(Base, metaclass=Constant, tag="r"):
    size: int = 3

    def grown(self, x):
        return self.size + x


@shape(3, 7)
def data_classes_of_such_bases(x):
    return [Record(x).grown(1), Record().size, Record.tag, repr(Record(x))]


class Closing(typing.Protocol):
    made: typing.ClassVar[typing.List[str]] = []

    def __init_subclass__(cls, *, tag, **keywords):
        super().__init_subclass__(**keywords)
        cls.made.append(tag)

    def close(self):
        return "closed"


class Door(Closing, tag="door"):
    pass


@shape(3, 8)
def protocols_with_a_hook(x):
    return [Door().close(), Closing.made]
