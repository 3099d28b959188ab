"""Classes that Python makes in ways of its own, and metaclasses or bases of the user's."""

import abc
import collections
import enum
import reprlib
import typing
from dataclasses import dataclass, field, fields

from shaping import collector

try:
    import zoneinfo
except ImportError:  # before Python 3.9
    zoneinfo = None

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


class Mode(enum.Enum):
    FAST = "f"
    SLOW = "s"


class Abstract(abc.ABC):
    def __init__(self, value):
        self.value = value


class Converting:
    def __init__(self, **values):
        for name, hint in self.__annotations__.items():
            setattr(self, name, hint(values[name]))


class Settings(Converting):
    mode: Mode
    port: int
    more: Abstract


@dataclass
class Part:
    mode: Mode
    thing: Abstract


@dataclass
class Whole:
    first: Part
    parts: typing.List[Part]
    table: typing.Dict[str, "Part"]
    last: typing.Optional[Part] = None
    call: typing.Callable[[int], Part] = None
    text: "typing.List[Part]" = None
    kind: typing.ClassVar[typing.Type[Mode]] = Mode


class Row(typing.NamedTuple):
    mode: Mode
    parts: typing.Tuple[int, ...] = ()


class Movie(typing.TypedDict):
    mode: Mode
    names: typing.List[str]


def described(hint):
    """What is the same in all versions."""
    if isinstance(hint, (type, str)) and not hasattr(hint, "__args__"):
        return hint if isinstance(hint, str) else hint.__name__
    if hint is ...:
        return "..."
    return [described(each) for each in getattr(hint, "__args__", None) or ()] or "?"


@shape(3, 7)
def annotations_that_are_called(x):
    made = Settings(mode="f", port=str(x), more=x)
    types = [each.type for each in fields(Part)]
    return [
        made.mode is Mode.FAST,
        made.port,
        made.more.value,
        types[0]("s").name,
        types[1](x).value,
    ]


@shape(3, 7)
def annotations_of_all_kinds(x):
    hints = [each.type for each in fields(Whole)]
    # Before Python 3.7, that of a parameter is there as well.
    assert hints[1].__args__ == (Part,) and hints[3] == typing.Optional[Part]
    assert hints[4] == typing.Callable[[int], Part]
    kinds = [Row.__annotations__, Movie.__annotations__, Row.__annotations__["parts"].__args__[0]]
    assert Whole.__annotations__["kind"] == typing.ClassVar[typing.Type[Mode]]
    forward = described(hints[2])
    return [
        list(map(described, [*hints[:2], *hints[3:]])),
        forward[0],
        [described(hint) for hint in kinds[0].values()],
        [described(hint) for hint in kinds[1].values()],
        kinds[2].__name__,
    ]


class Money:
    def __init__(self, amount):
        self.amount = amount

    def __eq__(self, other):
        return self.amount == other.amount


MONEY = Money(3)


try:

    @dataclass
    class Wallet:
        owner: str
        money: Money = MONEY
        kept: Money = field(default=MONEY, init=False)
        more: int = 1

except ValueError:  # since Python 3.11

    @dataclass
    class Wallet:
        owner: str
        money: Money = field(default_factory=lambda: MONEY)
        kept: Money = field(default_factory=lambda: MONEY, init=False)
        more: int = 1

    Wallet.money = Wallet.kept = MONEY


@dataclass
class Purse(Wallet):
    last: int = 5


@shape(3, 7)
def data_classes_with_defaults_that_have_no_hash(x):
    made = [Wallet("a"), Purse("b", Money(x)), Purse("c", last=x)]
    return [
        [each.money.amount for each in made],
        [each.kept is MONEY for each in made],
        made[0].money is Wallet.money is MONEY,
        made[2].last,
        made[0] == Wallet("a", Money(3)),
    ]


class Checked:
    def __set_name__(self, owner, name):
        self.name = "_" + name

    def __get__(self, instance, owner=None):
        return 7 if instance is None else getattr(instance, self.name)

    def __set__(self, instance, value):
        setattr(instance, self.name, int(value))


@dataclass
class Gauge:
    value: int = Checked()
    unit: str = "m"


@shape(3, 7)
def data_classes_with_descriptors(x):
    return [Gauge().value, Gauge(str(x)).value, repr(Gauge(x)), vars(Gauge(x))]


class Clock(typing.NamedTuple):
    zone: zoneinfo.ZoneInfo if zoneinfo else None
    hours: int = 0


@dataclass
class Watch:
    zone: zoneinfo.ZoneInfo if zoneinfo else None
    hours: typing.Optional[int] = 0


@shape(3, 7)
def annotations_that_not_all_versions_have(x):
    return [Clock(None, x).hours, Watch(None, x).hours]


Older = collections.namedtuple("Older", "a b c")
Older.__new__.__defaults__ = (None, 2)
Newer = collections.namedtuple("Newer", "a b", defaults=[1])


class Between(collections.namedtuple("Between", "a b")):
    pass


Between.__new__.__defaults__ = (3,)


@shape()
def named_tuples_with_defaults_set_the_old_way(x):
    return [
        Older(x),
        Older._field_defaults if x > 9 else {},
        Newer(x)._asdict()["b"],
        Between(x)[:],
    ]


class Ground:
    def go(self):
        return "ground"


class Left(Ground):
    pass


class Right:
    def go(self):
        return "right"

    where = Ground.go


class Crossing(Left, Right):
    go = Right.go


class Light:
    __slots__ = ()


class Lighter(Light):
    __slots__ = ()


class Marked(Lighter):
    __hash__ = object.__hash__

    def __eq__(self, other):
        return True


@shape()
def what_a_class_takes_from_a_base(x):
    return [Crossing().go(), hasattr(Lighter(), "__dict__"), len({Marked(), Marked()})]


@dataclass(frozen=True)
class Parent:
    number: int


@dataclass(eq=True, frozen=True)
class Same(Parent):
    text: str = ""
    __hash__ = Parent.__hash__


@dataclass
class Named:
    number: int
    __hash__ = object.__hash__

    @reprlib.recursive_repr("...")
    def __repr__(self):
        return "named %r" % (self.number,)


@dataclass(eq=False)
class Equal:
    number: int

    def __eq__(self, other):
        return True


@dataclass(frozen=True)
class Unhashed:
    number: int
    __hash__ = None


def has_hash(value):
    try:
        hash(value)
        return True
    except TypeError:
        return False


@shape(3, 7)
def data_classes_with_methods_of_their_own(x):
    named = Named(x)
    texts = [repr(named)]
    named.number = [named]
    return [
        *texts,
        repr(named),
        hash(Same(x)) == hash(Parent(x)),
        hash(Same(x, "a")) == hash(Same(x)),
        *map(has_hash, [Equal(1), Unhashed(1), Named(1)]),
        Equal(1) == Equal(x),
    ]
