"""Classes of data that Python makes in ways of its own."""

import abc
import collections
import datetime
import enum
import functools
import typing

from shaping import collector

SHAPES, NEEDS, shape = collector()


class Corner(tuple, enum.Enum):
    ORIGIN = (0, 0)
    FAR = (1, 2)


class Spot(collections.namedtuple("Spot", "x y"), enum.Enum):
    HERE = (1, 2)

    def total(self):
        return self.x + self.y


class Holiday(datetime.date, enum.Enum):
    NEW_YEAR = 2020, 1, 1
    LABOUR = 2020, 5, 1


class Letters(frozenset, enum.Enum):
    VOWELS = "aeiou"


@shape()
def enumerations_of_collections(x):
    return [
        Corner.FAR[1] + x,
        Corner((0, 0)).name,
        Spot.HERE.total(),
        Spot.HERE.value == (1, 2),
        "a" in Letters.VOWELS,
        len(Letters.VOWELS),
    ]


@shape()
def enumeration_of_dates(x):
    return [Holiday.LABOUR.month, Holiday.LABOUR > Holiday.NEW_YEAR, Holiday.NEW_YEAR.isoformat()]


class Sorted(enum.EnumMeta):
    def __new__(mcs, name, bases, names, **options):
        assert names is not None
        made = super().__new__(mcs, name, bases, names, **options)
        made.largest = max((member.value for member in made), default=None)
        return made

    def __iter__(cls):
        return iter(sorted(super().__iter__(), key=lambda member: member.name))


class Number(enum.Enum, metaclass=Sorted):
    def doubled(self):
        return self.value * 2


class Digit(Number):
    TWO = 2
    ONE = 1


class Abstract(abc.ABC):
    @abc.abstractmethod
    def area(self):
        """The area."""


class AbstractMeta(abc.ABCMeta, enum.EnumMeta):
    pass


class Form(Abstract, enum.Enum, metaclass=AbstractMeta):
    SQUARE = 2

    def area(self):
        return self.value**2


@shape()
def enumerations_of_other_metaclasses(x):
    return [
        [digit.value for digit in Digit],
        Digit.largest,
        Digit.ONE.doubled(),
        Form.SQUARE.area(),
        isinstance(Form.SQUARE, Abstract),
        isinstance(x, Form),
    ]


class Movie(typing.TypedDict):
    title: str


class Series(Movie, total=False):
    season: int


@shape()
def typed_dicts_that_inherit(x):
    return [Series(title="a", season=x), sorted(Series.__annotations__), Series.__total__]


class Shop:
    @functools.singledispatchmethod
    @classmethod
    def price(cls, what):
        return [cls.__name__, "other"]

    @price.register(int)
    @classmethod
    def _(cls, what):
        return [cls.__name__, "number"]


@shape(3, 8)
def class_methods_that_dispatch(x):
    return [Shop.price(x), Shop().price("a")]


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 20

    def __str__(self):
        return "level " + self.name


class Grade(str, enum.Enum):
    GOOD = "g"

    def __str__(self):
        return "grade " + self.name


class Weight(float, enum.Enum):
    LIGHT = 1.5

    def __format__(self, spec):
        return "weight " + format(float(self), spec)


class Born(datetime.date, enum.Enum):
    FIRST = 2020, 1, 2

    def __str__(self):
        return "born"


def formatted(value, spec):
    try:
        return format(value, spec)
    except (TypeError, ValueError):
        return "not possible"


@shape()
def enumerations_written_in_their_own_way(x):
    return [
        [str(each) for each in (*Level, *Grade, *Born)],
        [formatted(each, "") for each in (*Level, *Grade, *Weight, *Born)],
        [formatted(each, ">12") for each in (*Level, *Grade, *Weight)],
        [formatted(each, "03d") for each in Level],
        formatted(Weight.LIGHT, ".2f"),
        formatted(Born.FIRST, "%d.%m"),
        ["%d" % Level.LOW, "%s" % Level.HIGH],
    ]
