"""Functions that need Python 3.9 or 3.10."""

import asyncio
import collections.abc
import copy
import graphlib
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from typing import ClassVar, Optional

import usercode
from shaping import collector

SHAPES, NEEDS, shape = collector()


@shape(3, 10)
def matching(x):
    match x:
        case 0:
            return "none"
        case int(n) if n > 3:
            return f"many: {n}"
        case _:
            return "few"


DOUBLERS = {"double": lambda function: lambda x: function(x) * 2}


@shape(3, 9)
def relaxed_decorator(x):
    @DOUBLERS["double"]
    def inner(y):
        return y + 1

    return inner(x)


@shape(3, 6)
@DOUBLERS["double"]
def relaxed_decorator_outside(x):
    return x + 1


@shape(3, 6)
def new_annotations(x: int | None, *more: list[int]) -> dict[str, int] | None:
    total: int | None = x

    def inner(y: list[int] | None) -> int | str:
        return y

    return [total, inner(x)]


@contextmanager
def opened(name):
    yield name.upper()


@shape(3, 6)
def parenthesized_with(x):
    with (
        opened("a") as a,
        opened("b") as b,
    ):
        return a + b


@shape(3, 9)
def new_module(x):
    return list(graphlib.TopologicalSorter({1: {0}}).static_order())


@shape(3, 9)
def import_of_a_new_module(x):
    import zoneinfo

    return zoneinfo.__name__


@shape(3, 6)
def import_that_may_fail(x):
    try:
        import tomllib
    except ImportError:
        tomllib = None
    return tomllib is not x


@dataclass(slots=True)
class Slots:
    a: int
    b: Optional[list[int]] = field(default_factory=list)


@shape(3, 7)
def dataclass_with_slots(x):
    made = Slots(x)
    made.b.append(1)
    return [made.a, made.b, made == Slots(x, [1])]


@dataclass(kw_only=True)
class Named:
    b: int | None = None
    a: int
    start: InitVar[int] = 1
    total: int = field(default=0, init=False)
    many: ClassVar[list] = [1]

    def __post_init__(self, start):
        self.total = start + self.a


@dataclass
class More(Named):
    c: int


@shape(3, 7)
def dataclass_with_keywords(x):
    try:
        Named(x)
    except TypeError as error:
        text = str(error)[-40:]
    more = More(x, a=2, start=5)
    return [Named(a=x).total, Named(a=x, b=2).b, more.c, more.total, Named.many, "given" in text]


ALIASES = [list[int], int | str, collections.abc.Callable[[int], str]]


@shape(3, 6)
def types_as_values(x):
    return [isinstance(x, ALIASES[0]) if False else ALIASES[0]([x])]


NUMBER = int | float
NOTHING = Optional[str]


class Joined(type):
    def __or__(cls, other):
        return (cls, other, str)


class Joining(metaclass=Joined):
    kind = int


def checker(kinds):
    return lambda value: isinstance(value, kinds)


is_text, is_number = checker(str | bytes), checker(int)


@shape(3, 6)
def unions_in_checks(x):
    type = None  # noqa: F841
    values = [x, "a", None, 1.5, b"a", [], Joining()]
    return [
        [isinstance(value, int | str) for value in values],
        [isinstance(value, None | collections.abc.Sized) for value in values],
        [isinstance(value, (int | None, (float, bytes | list))) for value in values],
        [isinstance(value, Joining | int) for value in values],
        [issubclass(value.__class__, Joining.kind | None) for value in values],
        [isinstance(value, NUMBER) for value in values],
        [isinstance(value, NUMBER | None) for value in values],
        [isinstance(value, (NOTHING, list)) for value in values],
        [isinstance(value, usercode.deeper.WORD) for value in values],
        [is_text(value) for value in values],
        [is_number(value) for value in values],
        isinstance(*[x, int]),
    ]


SHARED = (
    asyncio.Lock(),
    asyncio.Semaphore(2),
    asyncio.Queue(1),
    asyncio.Event(),
    asyncio.Condition(),
)


async def worker(number, seen, lock, gate, queue):
    async with gate:
        async with lock:
            await asyncio.sleep(0.001)
            seen.append(number)
    await queue.put(number)


async def crowd(x):
    # What waits for a loop belongs to that from then on.
    lock, gate, queue, done, turn = map(copy.copy, SHARED)
    seen, got = [], []
    workers = [asyncio.ensure_future(worker(each, seen, lock, gate, queue)) for each in range(4)]
    for _ in workers:
        got.append(await queue.get())
    await asyncio.wait(workers)

    async def release():
        async with turn:
            turn.notify_all()
        done.set()

    async with turn:
        other = asyncio.ensure_future(release())
        await turn.wait()
    await done.wait()
    await other
    return [sorted(seen), sorted(got), lock.locked(), queue.empty(), x]


@shape(3, 6)
def objects_that_are_waited_for(x):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # before Python 3.10, there must be one for new locks
    try:
        return loop.run_until_complete(crowd(x))
    finally:
        loop.close()
