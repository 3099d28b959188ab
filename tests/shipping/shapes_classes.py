"""Classes of every kind, that travel by value."""

import abc
import collections
import enum
import functools
import typing
from dataclasses import InitVar, asdict, astuple, dataclass, field, fields, replace

from shaping import collector

SHAPES, NEEDS, shape = collector()


FACTOR = 3


def helper(x):
    return x + FACTOR


class Root:
    names: typing.List[str] = []

    def __init_subclass__(cls, tag=None, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.tag = tag

    def __class_getitem__(cls, item):
        return (cls.__name__, item)

    def who(self):
        return ["Root"]

    @classmethod
    def maker(cls, x):
        made = cls()
        made.x = x
        return made


class Left(Root, tag="left"):
    def who(self):
        return ["Left", *super().who()]


class Right(Root, tag="right"):
    def who(self):
        return ["Right", *super(Right, self).who()]


class Both(Left, Right, tag="both"):
    amounts = [FACTOR * n for n in range(3)]
    compute = staticmethod(helper)
    late = lambda self: FACTOR  # noqa: E731

    class Inner:
        size = 4

        def grown(self, x):
            return self.size + FACTOR + x

    def who(self):
        return ["Both", *[each for each in super().who()]]

    @classmethod
    def maker(cls, x):
        made = super().maker(x)
        made.extra = 1
        return made

    @property
    def value(self):
        """The value."""
        return self.__dict__.setdefault("_value", 0)

    @value.setter
    def value(self, value):
        self.__dict__["_value"] = value * 2

    @value.deleter
    def value(self):
        self.__dict__["_value"] = -1

    def __hidden(self):
        return "hidden"

    def show(self):
        def inner():
            return self.__hidden()

        return [inner(), (lambda: self.__hidden())(), __class__.__name__]


@shape()
def inheritance(x):
    both = Both.maker(x)
    both.value = x
    values = [both.value]
    del both.value
    return [
        both.who(),
        both.x,
        both.extra,
        values,
        both.value,
        both.show(),
        Both.tag,
        Left.tag,
        Both.amounts,
        Both.compute(x),
        both.late(),
        Both.Inner().grown(x),
        [kind.__name__ for kind in Both.__mro__],
        Both.Inner.__qualname__,
        Both.value.__doc__,
    ]


class Typed:
    """A descriptor."""

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        return self if instance is None else instance.__dict__.get(self.name, "unset")

    def __set__(self, instance, value):
        instance.__dict__[self.name] = int(value)


class WithDescriptors:
    number = Typed()

    @functools.cached_property
    def costly(self):
        self.computed = getattr(self, "computed", 0) + 1
        return self.computed

    @functools.singledispatchmethod
    def kind(self, value):
        return "other"

    @kind.register(int)
    def _(self, value):
        return "int"

    partly = functools.partialmethod(lambda self, a, b: [a, b], 1)


@shape(3, 8)
def descriptors(x):
    made = WithDescriptors()
    before = made.number
    made.number = str(x)
    return [before, made.number, WithDescriptors.number.name, made.costly, made.costly]


@shape(3, 8)
def methods_that_dispatch(x):
    made = WithDescriptors()
    return [made.kind(x), made.kind("a"), made.partly(x)]


class Point:
    __slots__ = ("x", "y", "__weakref__")

    def __init__(self, x, y):
        self.x, self.y = x, y


class Deep(Point):
    __slots__ = ["z"]

    def __init__(self, x, y, z):
        super().__init__(x, y)
        self.z = z


@shape()
def slots(x):
    deep = Deep(x, 2, 3)
    try:
        deep.w = 1
    except AttributeError:
        return [deep.x, deep.y, deep.z, hasattr(deep, "__dict__")]


class Registry(type):
    known: typing.Dict[str, type] = {}

    def __new__(mcs, name, bases, names, **options):
        made = super().__new__(mcs, name, bases, names)
        made.options = options
        return made

    def __init__(cls, name, bases, names, **options):
        super().__init__(name, bases, names)

    def __iter__(cls):
        return iter(["a", "b"])

    @property
    def kind(cls):
        return "kind of " + cls.__name__


class Registered(metaclass=Registry, colour="red"):
    pass


@shape()
def metaclass_with_keywords(x):
    return [list(Registered), Registered.kind, Registered.options]


class Shape(abc.ABC):
    @property
    @abc.abstractmethod
    def area(self):
        """The area."""

    @classmethod
    def __subclasshook__(cls, other):
        return True if hasattr(other, "area") else NotImplemented


class Circle(Shape):
    area = 3


class Duck:
    area = 1


@shape()
def abstract_with_hook(x):
    try:
        Shape()
        made = True
    except TypeError:
        made = False
    return [made, Circle().area, isinstance(Duck(), Shape), isinstance(x, Shape)]


@functools.total_ordering
class Version:
    def __init__(self, text):
        self.parts = tuple(map(int, text.split(".")))

    def __eq__(self, other):
        return self.parts == other.parts

    def __lt__(self, other):
        return self.parts < other.parts

    def __hash__(self):
        return hash(self.parts)

    def __repr__(self):
        return "Version(%s)" % ".".join(map(str, self.parts))


@shape()
def ordering(x):
    versions = [Version("1.10"), Version("1.9"), Version("1.%d" % x)]
    return [repr(sorted(versions)), versions[0] >= versions[1], len({*versions, Version("1.10")})]


class Broken(Exception):
    def __init__(self, code, text="broken"):
        super().__init__(code, text)
        self.code = code

    def __str__(self):
        return "%s (%d)" % (self.args[1], self.code)


class VeryBroken(Broken, ValueError):
    pass


@shape()
def exceptions(x):
    try:
        try:
            raise VeryBroken(x, text="very")
        except Broken as error:
            raise RuntimeError("outer") from error
    except RuntimeError as error:
        return [str(error.__cause__), isinstance(error.__cause__, ValueError), error.__cause__.code]


class Session:
    def __init__(self, log):
        self.log = log

    def __enter__(self):
        self.log.append("enter")
        return self

    def __exit__(self, kind, error, trace):
        self.log.append(kind.__name__ if kind else "leave")
        return kind is KeyError

    def __getattr__(self, name):
        if name.startswith("get_"):
            return name[4:]
        raise AttributeError(name)

    def __getitem__(self, key):
        return key * 2

    def __len__(self):
        return 7

    def __contains__(self, item):
        return item == 6

    def __iter__(self):
        yield from self.log

    def __add__(self, other):
        return ("sum", other)

    def __bool__(self):
        return False


@shape()
def special_methods(x):
    log = []
    with Session(log) as session:
        {}[x]
    return [list(session), session.get_name, session[x], len(session), x in session, session + x,
            bool(session), getattr(session, "other", None)]  # fmt: skip


# -- enumerations


class Planet(enum.Enum):
    EARTH = (5, 6)
    MARS = (1, 3)

    def __init__(self, mass, radius):
        self.mass = mass
        self.radius = radius

    @property
    def density(self):
        return self.mass / self.radius

    @classmethod
    def heaviest(cls):
        return max(cls, key=lambda planet: planet.mass)

    @classmethod
    def _missing_(cls, value):
        return cls.EARTH if value == "home" else None


class Size(enum.IntEnum):
    SMALL = enum.auto()
    LARGE = enum.auto()


class Word(str, enum.Enum):
    YES = "yes"
    NO = "no"

    def shout(self):
        return self.value.upper()


@enum.unique
class Rights(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()
    ALL = READ | WRITE


class Alias(enum.Enum):
    ONE = 1
    EINS = 1


class Automatic(enum.Enum):
    def _generate_next_value_(name, start, count, last_values):  # noqa: N805
        return name.lower()

    FIRST = enum.auto()
    SECOND = enum.auto()


Functional = enum.Enum("Functional", "A B C")


@shape()
def enumerations_of_all_kinds(x):
    return [
        Planet.EARTH.density,
        Planet.heaviest().name,
        Planet("home").name,
        [planet.name for planet in Planet],
        Size.LARGE + x,
        [Size(1).name, Size["LARGE"].value],
        Word.YES.shout(),
        Word("no") is Word.NO,
        Word.NO == "no",
        (Rights.READ | Rights.WRITE) == Rights.ALL,
        Rights.READ in Rights.ALL,
        bool(Rights.READ & Rights.WRITE),
        Alias.EINS is Alias.ONE,
        sorted(Alias.__members__),
        [member.value for member in Automatic],
        [member.name for member in Functional],
        Functional.B.value,
        isinstance(Size.SMALL, int),
        {Planet.MARS: 1}[Planet.MARS],
    ]


# -- data classes and named tuples

Pair = collections.namedtuple("Pair", "a b")
Defaulted = collections.namedtuple("Defaulted", ["a", "b"], defaults=[2])


class Employee(typing.NamedTuple):
    """Somebody."""

    name: str
    number: int = 3

    def label(self):
        return f"{self.name}-{self.number + FACTOR}"

    @classmethod
    def nobody(cls):
        return cls("none")


@shape()
def named_tuples_of_all_kinds(x):
    pair = Pair(x, b=2)
    return [
        pair._replace(a=9),
        pair._asdict()["a"],
        Pair._fields,
        Pair._make([1, 2]).b,
        tuple(Defaulted(x)),
        Employee("ann").label(),
        Employee.nobody().number,
        Employee._field_defaults,
        tuple(Employee("bob", x)),
        Employee.__doc__,
        repr(Employee("a")),
        repr(pair),
    ]


@dataclass
class Item:
    name: str
    price: float = 1.5
    tags: typing.List[str] = field(default_factory=list)
    hidden: int = field(default=0, repr=False, compare=False)
    count: typing.ClassVar[int] = 5
    raw: InitVar[int] = 2

    def __post_init__(self, raw):
        self.computed = raw * FACTOR

    def total(self):
        return self.price * self.count


@dataclass(frozen=True, order=True)
class Frozen:
    a: int
    b: "typing.Optional[int]" = None


@dataclass
class Child(Item):
    more: Frozen = Frozen(1)


@shape(3, 7)
def dataclasses_of_all_kinds(x):
    item, child = Item("pen"), Child("box", 2.0, more=Frozen(x, 2), raw=x)
    item.tags.append("a")
    try:
        Frozen(1).a = 2
        frozen = False
    except AttributeError:
        frozen = True
    return [
        repr(item),
        item.computed,
        child.computed,
        item.total(),
        item == Item("pen", tags=["a"], hidden=4),
        asdict(child)["more"],
        list(map(str, astuple(item))),
        frozen,
        sorted([Frozen(2), Frozen(1)])[0].a,
        hash(Frozen(1, 2)) == hash(Frozen(1, 2)),
        [each.name for each in fields(Child)],
        replace(Frozen(1), b=x).b,
        Item("other").tags,
    ]


# -- typing

T = typing.TypeVar("T", bound=int)
UserId = typing.NewType("UserId", int)


class Stack(typing.Generic[T]):
    def __init__(self):
        self.items: typing.List[T] = []

    def push(self, item: T) -> "Stack[T]":
        self.items.append(item)
        return self


class IntStack(Stack[int]):
    def total(self):
        return sum(self.items)


class Movie(typing.TypedDict, total=False):
    title: str
    year: int


@typing.runtime_checkable
class Closing(typing.Protocol):
    def close(self) -> None: ...


class Closable:
    def close(self):
        pass


@shape(3, 8)
def typing_kinds(x):
    return [
        IntStack().push(x).push(1).total(),
        Stack[int]().push(x).items,
        UserId(x),
        Movie(title="a", year=x),
        isinstance(Closable(), Closing),
        isinstance(x, Closing),
        typing.get_type_hints(lambda: None),
        typing.cast(typing.List[int], [x]),
    ]


# -- made while the program runs

Made = type("Made", (Root,), {"value": 4, "get": lambda self: self.value})


def local_class(size):
    class Local(Root):
        def get(self, x):
            return [size, x, type(self).__name__, super().who()]

        def recursive(self, x):
            return Local().get(x) if x else self

    return Local


LocalClass = local_class(8)


@shape()
def classes_made_while_running(x):
    return [Made().get(), Made.maker(x).x, LocalClass().get(x), LocalClass().recursive(2)]


def mixed(base):
    class Mixed(base):
        def who(self):
            return ["Mixed", *super().who()]

    return Mixed


@shape()
def class_of_a_given_base(x):
    return [mixed(Left)().who(), mixed(mixed(Root))().who()]


class Node:
    def __init__(self, value, parent=None):
        self.value, self.parent, self.children = value, parent, []
        if parent:
            parent.children.append(self)

    def depth(self):
        return 0 if self.parent is None else 1 + self.parent.depth()


ROOT = Node("root")
LEAF = Node("leaf", Node("branch", ROOT))


@shape()
def instances_that_refer_to_each_other(x):
    assert LEAF.parent.parent is ROOT and ROOT.children[0].children[0] is LEAF
    return [LEAF.depth(), ROOT.children[0].value]
