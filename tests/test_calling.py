"""Arguments and results of decorated functions keep their types."""

import collections
import datetime
import decimal
import enum
import fractions
import ipaddress
import pathlib
import sys
import types
import typing
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("cloudpickle")

from redgrease.answering import server_side
from redgrease.calling import Call, classes_of
from redgrease.exceptions import RedGreaseError
from redgrease.unpickling import decode


class Colour(enum.Enum):
    RED = 1
    GREEN = "g"


class Rights(enum.IntFlag):
    READ = 4
    WRITE = 2


class Point:
    def __init__(self, x, y=0):
        self.x = x
        self.y = y

    def __eq__(self, other):
        return type(other) is Point and vars(other) == vars(self)

    __hash__ = None


class Pair(typing.NamedTuple):
    left: int
    right: str


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a

    def __eq__(self, other):
        return type(other) is Slotted and other.a == self.a


class Stack(list):
    label = ""

    def __eq__(self, other):
        return type(other) is Stack and list(self) == list(other) and self.label == other.label


class Careful:
    made = 0

    def __init__(self):
        Careful.made += 1

    def __getstate__(self):
        return {"part": 1}

    def __setstate__(self, state):
        self.part = state["part"] + 1


def transported(value, known=()):
    """What a function on a server gets for an argument, and what its caller gets for a result."""
    got = []

    def function(*args, **kwargs):
        got.append((args, kwargs))
        return args[0]

    classes = {f"{each.__module__} {each.__qualname__}": each for each in known}
    call = Call(classes, (value,), {"named": value})
    words = ["name", *call.words]
    assert all(isinstance(word, str) and "\0" not in word for word in words)
    assert all(word.encode("ascii") for word in words)
    reply = server_side(function, classes)(words)
    assert isinstance(reply, bytes) and reply[:1] not in (b"+", b"-")
    returned = call.value(reply, decode)
    ((args, kwargs),) = got
    assert type(args) in (list, tuple) and len(args) == 1 and list(kwargs) == ["named"]
    assert type(returned) is type(args[0]) is type(kwargs["named"])
    return args[0]


PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(blacklist_categories=())),
    st.binary(),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.datetimes(),
    st.dates(),
    st.timedeltas(),
    st.uuids(),
    st.complex_numbers(allow_nan=False),
)
NESTED = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers()), inner, max_size=3),
        st.frozensets(st.one_of(st.text(max_size=3), st.integers(), st.binary()), max_size=3),
    ),
    max_leaves=8,
)


@given(NESTED)
def test_any_plain_data(value):
    same(transported(value), value)


def same(one, other):
    """Assert that two values are equal, and of the same types through and through."""
    assert type(one) is type(other) and one == other
    if isinstance(one, (list, tuple)):
        for pair in zip(one, other):
            same(*pair)
    elif isinstance(one, dict):
        same(list(one.items()), list(other.items()))
    elif isinstance(one, (set, frozenset)):
        same(sorted(one, key=repr), sorted(other, key=repr))
    else:
        assert repr(one) == repr(other)


VALUES = [
    -0.0,
    float("inf"),
    10**5000,
    "-3",
    "+OK",
    "\0\ud800",
    bytearray(b"\0\xff"),
    ...,
    range(2, 9, 3),
    slice(1, None),
    {1, "a", (2, b"x")},
    {(1, 2): {"t": [1]}, "t": {"d": {}}},
    collections.OrderedDict([("b", 1), ("a", 2)]),
    collections.Counter("abca"),
    collections.deque([1, (2,)], 5),
    collections.defaultdict(list, {"a": [1]}),
    datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc),
    datetime.time(1, 2, 3, 4),
    decimal.Decimal("1.10"),
    fractions.Fraction(1, 3),
    ipaddress.ip_address("127.0.0.1"),
    ipaddress.ip_network("fe80::/64"),
    pathlib.PurePosixPath("/a/b"),
    types.SimpleNamespace(a=1, b=[2]),
    uuid.UUID(int=5),
    int,
    datetime.date,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_data_of_the_standard_library(value):
    if isinstance(value, int) and hasattr(sys, "set_int_max_str_digits"):
        assert transported(value) == value
        return
    got = transported(value)
    same(got, value)
    if isinstance(value, (collections.defaultdict, collections.deque)):
        assert repr(got) == repr(value)  # also what they make, and how long they get


@pytest.mark.skipif(sys.version_info < (3, 9), reason="zoneinfo came with Python 3.9")
def test_time_zones():
    import zoneinfo

    try:
        zone = zoneinfo.ZoneInfo("Europe/Vienna")
    except zoneinfo.ZoneInfoNotFoundError:
        pytest.skip("there are no time zones here")
    moment = datetime.datetime(2024, 7, 1, 12, tzinfo=zone)
    assert transported(moment) == moment and transported(moment).tzinfo is zone


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED,
        Colour.GREEN,
        Rights.READ,
        Rights.READ | Rights.WRITE,
        Point(1, [2]),
        Point(Colour.RED, (Point(1), Pair(1, "a"))),
        Pair(1, "x"),
        Slotted([1]),
        Stack([1, 2]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_classes_that_the_function_knows(value):
    known = [Colour, Rights, Point, Pair, Slotted, Stack]
    assert transported(value, known) == value
    with pytest.raises(TypeError, match=f"{type(value).__qualname__}, which cannot be sent"):
        Call({}, (value,), {})


DATA_CLASSES = []
if sys.version_info >= (3, 7):
    import dataclasses

    def data_class(**options):
        def decorate(kind):
            DATA_CLASSES.append(dataclasses.dataclass(**options)(kind))
            return DATA_CLASSES[-1]

        return decorate

    @data_class()
    class Usual:
        a: int
        b: list = dataclasses.field(default_factory=list)

    @data_class(frozen=True)
    class Frozen:
        a: int
        b: tuple = ()

    if sys.version_info >= (3, 10):

        @data_class(frozen=True, slots=True)
        class FrozenSlots:
            a: int
            b: tuple = ()


@pytest.mark.parametrize("kind", DATA_CLASSES)
def test_data_classes(kind):
    value = kind(1, [kind(2)])
    assert transported(value, [kind]) == value


def test_attributes_of_containers_travel_too():
    stack = Stack([1])
    stack.label = "mine"
    assert transported(stack, [Stack]).label == "mine"


def test_exceptions_are_data():
    got = transported(KeyError("a", 5))
    assert got.args == ("a", 5)


def test_a_class_knows_how_it_is_taken_apart():
    careful = Careful()
    assert transported(careful, [Careful]).part == 2
    assert Careful.made == 1


def test_results_are_passed_on_as_their_values():
    pytest.importorskip("redis")
    from redgrease.results import ExecutionResult

    call = Call({}, (ExecutionResult([1, 2]),), {})
    assert call.words[1].endswith(":[[[1, 2]]]")


def cyclic():
    made = []
    made.append(made)
    return made


class Stubborn:
    def __reduce_ex__(self, protocol):
        raise RuntimeError("not me")


class Global:
    def __reduce__(self):
        return "somewhere"


class Made:
    def __reduce__(self):
        return (print, ("x",))


@pytest.mark.parametrize(
    "value, text",
    [
        (object(), "builtins.object, which cannot be sent"),
        (print, "cannot be sent"),
        (lambda: 1, "function, which cannot be sent"),
        (sys, "module"),
        (Point, "Point, which cannot be sent"),
        (cyclic(), "refers to itself"),
        (open, "cannot be sent"),
        ({"a": [object()]}, "builtins.object"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(value, text):
    with pytest.raises(TypeError, match=text):
        Call({}, (value,), {})


@pytest.mark.parametrize("kind", [Stubborn, Global, Made])
def test_so_is_what_cannot_be_taken_apart(kind):
    with pytest.raises(TypeError, match="an argument cannot be sent"):
        Call({f"{kind.__module__} {kind.__qualname__}": kind}, (kind(),), {})


def test_only_the_answer_to_the_call_itself_is_read():
    call, other = Call({}, (1,), {}), Call({}, (1,), {})
    reply = server_side(lambda x: x, {})(["name", *other.words])
    for strange in (reply, b"text", "text", None, [b"a"]):
        with pytest.raises(RedGreaseError, match="belongs to another function"):
            call.value(strange, decode)


# -- which classes a function knows


def annotated(a: Point, b: "typing.Optional[Pair]" = None, *, c: typing.List[Colour] = ()) -> Stack:
    return a


def coded(value):
    def inner():
        return Slotted(value)

    return inner


def defaulted(a=Point(1), *, b=Rights.READ):
    return a


def partly_known(a: "NoSuchClass", b: int):
    return Point(a)


def names(function, **kwargs):
    return sorted(name.rpartition(" ")[2] for name in classes_of(function, **kwargs))


def test_classes_are_those_that_the_function_names():
    assert names(annotated) == ["Colour", "Pair", "Point"]
    assert names(coded) == ["Slotted"]
    assert names(defaulted) == ["Point", "Rights"]
    assert names(partly_known) == ["Point"]
    assert names(len) == [] and names(int) == []


def test_classes_of_packages_and_libraries_are_left_where_they_are():
    def function(a: decimal.Decimal, b: Point, c: pytest.Item):
        return collections.OrderedDict

    assert names(function) == ["Point"]


def test_classes_without_objects_are_left_out():
    import abc

    class Shape(abc.ABC):
        @abc.abstractmethod
        def area(self):
            pass

    def function(shape: Shape):
        pass

    assert names(function) == []


def test_what_all_servers_of_a_cluster_returned_is_a_list():
    call = Call({}, (5,), {})
    words = ["name", *call.words]
    replies = [server_side(lambda x, number=number: x + number, {})(words) for number in (1, 2, 3)]
    assert call.value(replies, decode) == [6, 7, 8]
    with pytest.raises(RedGreaseError, match="another function"):
        call.value([replies[0], b"6"], decode)
    with pytest.raises(RedGreaseError, match="another function"):
        call.value([], decode)
