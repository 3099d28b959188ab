"""Functions of all shapes.  Each is called with a number, on the client and on a bare server."""

import abc
import asyncio
import collections
import contextlib
import datetime
import decimal
import enum
import functools
import itertools
import json
import logging
import math
import operator
import os
import os.path
import random
import re
import string
import types
import typing
import xml.etree.ElementTree
from concurrent import futures

import usercode
from usercode import deeper
from usercode.deeper import Thing, double

try:
    import dataclasses
except ImportError:  # Python 3.6
    dataclasses = None

SHAPES = {}


def shape(function):
    SHAPES[function.__name__] = function
    return function


LIMIT = 7
TABLE = {"one": 1, "many": [2, 3]}
PATTERN = re.compile(r"\d+")
LOGGER = logging.getLogger("shapes")
pair = (lambda x: x + 1, lambda x: x * 2)

SHAPES["a_lambda"] = lambda x: x + 1
SHAPES["first_of_two_on_a_line"], SHAPES["second_of_two_on_a_line"] = lambda x: -x, lambda x: ~x
SHAPES["a_lambda_of_a_lambda"] = lambda x: (lambda y: y * x)(3)
SHAPES["a_lambda_with_a_default"] = lambda x, y=LIMIT, *, z=5: x + y + z


@shape
def global_constant(x):
    return x + LIMIT


@shape
def global_dict(x):
    return TABLE["many"] + [x]


@shape
def lambdas_in_a_tuple(x):
    return [function(x) for function in pair]


@shape
def recursion(x):
    return 1 if x < 2 else x * recursion(x - 1)


def even(x):
    return True if x == 0 else odd(x - 1)


def odd(x):
    return False if x == 0 else even(x - 1)


SHAPES["mutual_recursion"] = even


def make_adder(amount):
    def add(x):
        return x + amount

    return add


SHAPES["closure"] = make_adder(100)


def make_recursive_closure():
    def countdown(x):
        return [] if x <= 0 else [x] + countdown(x - 1)

    return countdown


SHAPES["recursive_closure"] = make_recursive_closure()


@shape
def nonlocal_variable(x):
    total = 0

    def add(amount):
        nonlocal total
        total += amount

    for amount in range(x):
        add(amount)
    return total


@shape
def nested_three_deep(x):
    def outer(y):
        def inner(z):
            return x + y + z

        return inner

    return outer(1)(2)


@shape
def comprehensions(x):
    return [{y: z} for y in range(x) for z in (y + LIMIT,) if y % 2]


@shape
def starred(x, *args, factor=2, **kwargs):
    return [x * factor, args, kwargs]


@shape
def generator(x):
    def count():
        yield from range(x)

    return list(count())


@shape
def asynchronous(x):
    async def wait():
        await asyncio.sleep(0)
        return x + 1

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(wait())
    finally:
        loop.close()


@shape
def own_exception(x):
    try:
        raise Failure(x)
    except Failure as failure:
        return failure.args


class Failure(Exception):
    pass


class Base:
    kind = "base"

    def __init__(self, size):
        self.size = size
        self.__secret = size + 1

    def __eq__(self, other):
        return type(other) is type(self) and vars(other) == vars(self)

    def secret(self):
        return self.__secret

    @classmethod
    def make(cls, size):
        return cls(size)

    @staticmethod
    def twice(size):
        return 2 * size

    @property
    def half(self):
        return self.size / 2


class Derived(Base):
    kind = "derived"

    def __init__(self, size):
        super().__init__(size + 1)

    def secret(self):
        return [super().secret(), __class__.kind]

    def __call__(self, x):
        return x + self.size


@shape
def class_with_super_and_mangling(x):
    thing = Derived.make(x)
    return [thing.secret(), thing.half, thing.twice(3), thing.kind, isinstance(thing, Base)]


@shape
def instance_as_result(x):
    return [Derived(x), Base(x)]


SHAPES["callable_object"] = Derived(10)
SHAPES["bound_method"] = Derived(10).__call__
SHAPES["bound_classmethod"] = Derived.make
SHAPES["a_class"] = Base


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a
        self.b = -a


@shape
def class_with_slots(x):
    thing = Slotted(x)
    return [thing.a, thing.b]


class Meta(type):
    def __len__(cls):
        return 5


class WithMeta(metaclass=Meta):
    pass


@shape
def metaclass(x):
    return x + len(WithMeta)


class Abstract(abc.ABC):
    @abc.abstractmethod
    def area(self):
        """The area."""


class Square(Abstract):
    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side**2


@Abstract.register
class Virtual:
    pass


@shape
def abstract_classes(x):
    return [Square(x).area(), isinstance(Virtual(), Abstract)]


T = typing.TypeVar("T")


class Box(typing.Generic[T]):
    def __init__(self, content: T):
        self.content = content


@shape
def generic_class(x):
    return Box(x).content


class Colour(enum.Enum):
    RED = 1
    GREEN = 2

    @property
    def nice(self):
        return self.name.lower()


class Access(enum.IntFlag):
    READ = 1
    WRITE = 2


@shape
def enumerations(x):
    return [Colour.RED.nice, Colour(2), Colour["GREEN"].value, Access.READ | Access.WRITE]


Point = collections.namedtuple("Point", "x y")


class Place(typing.NamedTuple):
    name: str
    height: int = 3


@shape
def named_tuples(x):
    return [Point(x, 2)._replace(y=9), Place("here"), Place("there", x).height]


if dataclasses is not None:

    @dataclasses.dataclass
    class Item:
        name: str
        tags: typing.List[str] = dataclasses.field(default_factory=list)
        size: int = 1
        shared: typing.ClassVar[int] = 5

    @dataclasses.dataclass(frozen=True, order=True)
    class Frozen:
        value: int

    @shape
    def dataclass_instances(x):
        item = dataclasses.replace(Item("a", size=x), tags=["b"])
        return [item, dataclasses.asdict(item), sorted([Frozen(3), Frozen(x)])]


if hasattr(typing, "TypedDict"):

    class Options(typing.TypedDict):
        size: int

    @shape
    def typed_dict(x):
        return Options(size=x)


class Wrapped(typing.NamedTuple("Wrapped", [("a", int)])):
    __slots__ = ()

    @property
    def twice(self):
        return 2 * self.a


@shape
def subclass_of_named_tuple(x):
    return [Wrapped(x).twice, Wrapped(x)]


def decorated_with(amount):
    def decorate(function):
        @functools.wraps(function)
        def wrapped(*args):
            return function(*args) + amount

        return wrapped

    return decorate


@shape
@decorated_with(1)
@decorated_with(10)
def decorated(x):
    return x * 1000


@functools.lru_cache(maxsize=None)
def fibonacci(x):
    return x if x < 2 else fibonacci(x - 1) + fibonacci(x - 2)


SHAPES["cached_recursion"] = fibonacci


@shape
def cached_helper(x):
    return fibonacci(x + 10)


SHAPES["partial"] = functools.partial(starred, factor=3, other=1)
SHAPES["partial_of_builtin"] = functools.partial(pow, 2)
SHAPES["builtin_function"] = abs
SHAPES["builtin_type"] = float
SHAPES["itemgetter"] = lambda x, pick=operator.itemgetter(1): pick([0, x])
SHAPES["functions_of_modules"] = lambda x: [math.sqrt(x), os.path.join("a", str(x))]


@shape
def submodule(x):
    return xml.etree.ElementTree.fromstring("<a>%d</a>" % x).text


@shape
def submodule_of_package(x):
    with futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(double, x).result()


@shape
def modules_as_globals(x):
    return json.loads(json.dumps({"x": x, "letters": string.digits}))


@shape
def import_inside(x):
    import textwrap

    return textwrap.dedent("   %d" % x)


@shape
def compiled_pattern(x):
    return PATTERN.findall("a%db" % x)


@shape
def logger(x):
    LOGGER.debug("%d", x)
    return LOGGER.name


@shape
def context_manager(x):
    @contextlib.contextmanager
    def doubled(value):
        yield 2 * value

    with doubled(x) as value:
        return value


@shape
def views_and_proxies(x):
    return [list(VIEWS[0]), list(VIEWS[1]), list(VIEWS[2]), list(ORDERED), PROXY["a"]]


VIEWS = ({"a": 1}.keys(), {"a": 1}.values(), {"a": 1}.items())
ORDERED = collections.OrderedDict([("b", 2), ("a", 1)]).keys()
PROXY = types.MappingProxyType({"a": 1})


@shape
def values_of_the_standard_library(x):
    return [
        decimal.Decimal("1.5") * x,
        datetime.date(2020, 1, 1) + datetime.timedelta(days=x),
        collections.Counter("aab"),
        collections.OrderedDict(a=x),
        {x, 1},
        frozenset([x]),
        2 + 3j,
        2**70,
        None,
        ...,
        b"\0\xff",
        bytearray(b"ab"),
        range(x),
    ]


@shape
def itertools_and_random(x):
    return [list(itertools.islice(itertools.count(x), 3)), random.Random(x).random()]


@shape
def annotated(x: "nothing" = 1, y: Thing = None) -> typing.Dict[str, Thing]:  # noqa: F821
    value: int = x
    return value


SHAPES["function_of_a_user_module"] = double
SHAPES["function_of_a_user_package"] = usercode.level


@shape
def user_module_as_global(x):
    return deeper.double(x) + usercode.deeper.DEPTH


@shape
def user_class(x):
    return Thing(x).grown()


@shape
def user_attribute_by_name(x):
    return getattr(deeper, "DEPTH") + x


@shape
def deleted_variable(x):
    def inner():
        return y

    y = x
    del y
    try:
        return inner()
    except NameError:
        return "unbound"


@shape
def texts(x):
    return ["-%d" % x, "+%d" % x, "\u20ac\0\U0001f600", "", f"{x:>5}"]


@shape
def conditions_and_loops(x):
    result = []
    while x:
        x -= 1
        if x % 2:
            continue
        for y in range(x):
            result.append(y)
        else:
            result.append("end")
    return result


SHAPES["attribute_of_a_function"] = lambda x: counted.step + x


def counted():
    pass


counted.step = 12


# The version that a shape needs, beyond 3.6.
NEEDS = {"dataclass_instances": (3, 7)}
