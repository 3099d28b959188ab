"""Decorated functions on a server: calls, errors, registrations, restarts."""

import asyncio
import datetime
import decimal
import enum
import functools
import sys
import threading

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

import redis  # noqa: E402

import redgrease  # noqa: E402
from redgrease.exceptions import (  # noqa: E402
    DuplicateTriggerError,
    RedGreaseError,
    RegistrationNotFoundError,
    ScriptError,
    TriggerNotFoundError,
)


class Colour(enum.Enum):
    RED = "r"


class Point:
    def __init__(self, x, y=0):
        self.x, self.y = x, y

    def __eq__(self, other):
        return type(other) is Point and (self.x, self.y) == (other.x, other.y)

    def moved(self, by):
        return Point(self.x + by, self.y + by)


class Broken:
    """Cannot be made again on a server."""

    def __reduce__(self):
        return int, ("no number",)


@pytest.fixture
def plain(r, gears_server):
    """A client that knows nothing of redgrease."""
    with redis.Redis(port=gears_server.port) as client:
        yield client


def trigger(client, *words):
    return client.execute_command("RG.TRIGGER", *words)


VALUES = [None, True, -3, 1.5, 10**30, "-x", "+", "é\0", b"\0\xff", (1, [2]), {1: {"a"}}]
VALUES += [datetime.datetime(2020, 1, 2), decimal.Decimal("-1.0"), frozenset(), ...]


def test_arguments_and_results_keep_their_types(r):
    @redgrease.command(on=r)
    def echo(*args, **kwargs):
        return args, kwargs, [type(value).__name__ for value in args]

    args, kwargs, types = echo(*VALUES, named=VALUES[-4:])
    assert args == tuple(VALUES) and kwargs == {"named": VALUES[-4:]}
    assert types == [type(value).__name__ for value in VALUES]
    assert [type(value) for value in args] == [type(value) for value in VALUES]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_each_alone(r, value):
    @redgrease.command(on=r, replace=True)
    def same(value):
        return value

    assert same(value) == value and type(same(value)) is type(value)


def test_a_list_is_one_result(r):
    made = redgrease.command("made", on=r)(lambda n: list(range(n)))
    assert [made(n) for n in range(3)] == [[], [0], [0, 1]]


def test_classes_of_ones_own(r):
    @redgrease.command(on=r)
    def moved(point: Point, by=1, colour: "Colour" = Colour.RED):
        return point.moved(by), colour is Colour.RED

    assert moved(Point(1)) == (Point(2, 1), True)
    assert moved(Point(1), by=2, colour=Colour.RED) == (Point(3, 2), True)


def test_keywords_and_defaults(r):
    @redgrease.command(on=r)
    def cache_get(url, expiry=60, timeout=10, *, fresh=False):
        return url, expiry, timeout, fresh

    assert cache_get("u", timeout=3) == ("u", 60, 3, False)
    assert cache_get(url="u", fresh=True) == ("u", 60, 10, True)
    for wrong in (lambda: cache_get(), lambda: cache_get("u", tiemout=3)):
        with pytest.raises(TypeError):
            wrong()
    assert cache_get.registration.RegistrationData.numTriggered == 2


def test_positional_only_parameters(r):
    scope = {"__name__": "__main__"}
    exec("def first(a, b=2, /, *rest, c): return a, b, rest, c", scope)
    first = redgrease.command(on=r)(scope["first"])
    assert first(1, c=5) == (1, 2, (), 5) and first(1, 3, 4, c=5) == (1, 3, (4,), 5)
    with pytest.raises(TypeError):
        first(a=1, c=5)


def test_plain_clients_give_and_get_texts(r, plain):
    @redgrease.command(on=r)
    def show(*words):
        return "-" + ",".join(f"{type(word).__name__} {word}" for word in words)

    assert trigger(plain, "show", "a", 5, "é") == [b"-str a,str 5,str \xc3\xa9"]
    assert trigger(plain, "show") == [b"-"]
    data = redgrease.command("data", on=r)(lambda: b"\0\xff\r\n")
    assert trigger(plain, "data") == [b"\0\xff\r\n"] and data() == b"\0\xff\r\n"
    assert r.gears.trigger("show", "a") == b"-str a"


def test_clients_that_decode(r, gears_server):
    with gears_server.client(decode_responses=True) as decoding:
        same = redgrease.command("same", on=decoding)(lambda value: value)
        for value in VALUES:
            assert same(value) == value and type(same(value)) is type(value)


def test_clients_that_decode_differently(r, gears_server):
    with gears_server.client(decode_responses=True, encoding="latin-1") as decoding:
        same = redgrease.command("näme of it", on=decoding)(lambda value: value)
        assert same(["é", b"\xff"]) == ["é", b"\xff"]


def test_steps_of_other_functions(r):
    """There, a decorated function is the plain one."""
    r.mset({"a": 1, "b": 2})
    first = redgrease.command("first", on=r)(lambda record: record["key"])
    second = redgrease.command("second")(lambda key: key.upper())
    assert sorted(redgrease.KeysReader().map(first).map(second).run(on=r)) == ["A", "B"]
    assert first.registration.RegistrationData.numTriggered == 0


@pytest.mark.parametrize("protocol", [2, 3])
def test_any_client_of_redis_py_will_do(r, gears_server, protocol):
    if protocol == 3 and int(redis.__version__.partition(".")[0]) < 5:
        pytest.skip("redis-py knows only RESP2")
    options = {} if protocol == 2 else {"protocol": 3}
    with redis.Redis(port=gears_server.port, **options) as client:
        same = redgrease.command("same", on=client)(lambda value: value)
        assert same([1.5, None]) == [1.5, None]
        assert same.unregister() is True
    assert redgrease.command("same", on=r.gears)(lambda: 1)() == 1


@pytest.mark.parametrize("mode", ["sync", "async", "async_local"])
class TestModes:
    def test_functions(self, r, mode):
        made = redgrease.command("made", on=r, mode=mode)(lambda key: redgrease.cmd.incr(key))
        assert [made("k"), made("k")] == [1, 2]
        assert made.registration.RegistrationData.mode == mode

    def test_coroutines(self, r, plain, mode):
        @redgrease.command(on=r, mode=mode)
        async def later(value, times=2):
            await asyncio.sleep(0.001)
            return [value] * times

        assert later("x") == ["x", "x"] and later(None, times=1) == [None]
        assert trigger(plain, "later", "x") == [b"['x', 'x']"]

    def test_errors_of_coroutines(self, r, plain, mode):
        @redgrease.command(on=r, mode=mode)
        async def failing(value):
            await asyncio.sleep(0.001)
            raise KeyError(value)

        with pytest.raises(ScriptError, match="^KeyError: 'x'") as raised:
            failing("x")
        assert "in failing" in raised.value.traceback
        with pytest.raises(redis.ResponseError, match="KeyError: 'x'"):
            trigger(plain, "failing", "x")

    def test_errors(self, r, mode):
        def inner(x):
            return 1 / x

        @redgrease.command(on=r, mode=mode)
        def failing(x):
            return inner(x)

        with pytest.raises(ScriptError, match="^ZeroDivisionError") as raised:
            failing(0)
        lines = raised.value.lines
        assert lines[-1] == "ZeroDivisionError: division by zero"
        assert any("in inner" in line for line in lines)
        assert failing.registration.RegistrationData.numFailures == 1


def test_results_that_cannot_be_sent_back(r):
    made = redgrease.command("made", on=r)(lambda: (n for n in range(3)))
    with pytest.raises(ScriptError, match="type 'generator', cannot be sent back"):
        made()


def test_functions_call_each_other_and_themselves(r):
    @redgrease.command(on=r)
    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    @redgrease.command()
    def half(n):
        return n // 2

    @redgrease.command(on=r)
    def both(n):
        return factorial(n) + half(n)

    assert both(5) == 122
    assert factorial.registration.RegistrationData.numTriggered == 0
    assert factorial(5) == 120


DECORATED = """
@redgrease.command(on=r, replace={replace})
def total(numbers):
    return [total(each) for each in numbers] if isinstance(numbers, list) else numbers + {number}
"""


def test_a_function_that_is_defined_again_calls_its_new_self(r):
    scope = {"__name__": "__main__", "redgrease": redgrease, "r": r}
    for number in (1, 1, 2):
        exec(DECORATED.format(replace=True, number=number), scope)
        assert scope["total"]([0, [1]]) == [number, [1 + number]]
    before = scope["total"].registration.id
    exec(DECORATED.format(replace=False, number=2), scope)
    assert scope["total"].registration.id == before
    with pytest.raises(DuplicateTriggerError):
        exec(DECORATED.format(replace=False, number=3), scope)
    assert scope["total"]([5]) == [7]


def test_functions_that_are_wrapped_call_themselves(r):
    def twice(function):
        @functools.wraps(function)
        def wrapper(*args):
            return 2 * function(*args)

        return wrapper

    scope = {"__name__": "__main__", "redgrease": redgrease, "r": r, "twice": twice}
    exec(
        "@redgrease.command(on=r)\n@twice\ndef power(n):\n    return power(n - 1) if n else 1",
        scope,
    )
    assert scope["power"](3) == 16


class TestRegistering:
    def test_a_taken_trigger(self, r):
        redgrease.command("t", on=r)(lambda: 1)
        with pytest.raises(DuplicateTriggerError):
            redgrease.command("t", on=r)(lambda: 2)

    def test_replacing(self, r):
        old = redgrease.command("t", on=r)(lambda: 1)
        new = redgrease.command("t", on=r, replace=True)(lambda: 2)
        newest = redgrease.command("t", on=r, replace=True)(lambda: 3)
        assert [old(), new(), newest()] == [3, 3, 3]
        assert len(r.gears.dumpregistrations()) == 1

    def test_replacing_by_what_is_broken_keeps_the_old_one(self, r):
        old = redgrease.command("t", on=r, replace=True)(lambda: 1)
        broken = redgrease.command("t", onRegistered=lambda: 1 / 0)(lambda: 2)
        broken.input_function.operation.args = (Broken(),)
        with pytest.raises(RedGreaseError):
            broken.on(r, replace=True)
        assert old() == 1

    def test_keeping_an_identical_one(self, r):
        def function(x=1):
            return x

        one = redgrease.command("t", on=r, replace=False)(function)
        other = redgrease.command("t", on=r, replace=False)(function)
        assert one.registration.id == other.registration.id and other(5) == 5
        with pytest.raises(DuplicateTriggerError):
            redgrease.command("t", on=r, replace=False)(lambda: 2)

    def test_taking_it_away(self, r):
        made = redgrease.command("t", on=r)(lambda: 1)
        assert made.registration.RegistrationData.args["trigger"] == "t"
        assert made.unregister() is True
        for gone in (lambda: made.registration, made.unregister):
            with pytest.raises(RegistrationNotFoundError, match="'t' is not registered"):
                gone()
        with pytest.raises(TriggerNotFoundError):
            made()

    def test_description_order_and_session(self, r):
        made = redgrease.command(
            "t", on=r, desc="about it", inorder=True, mode="async_local", id="mine",
            description="a session", unblocking=True,
        )(lambda: 1)  # fmt: skip
        registration = made.registration
        assert registration.desc == "about it"
        assert registration.RegistrationData.args["inorder"]
        assert [session.ID for session in r.gears.pydumpsessions()] == ["mine"]
        assert made() == 1

    def test_on_registered(self, r):
        def note():
            redgrease.cmd.set("registered", 1)

        redgrease.command("t", on=r, onRegistered=note)(lambda: 1)
        assert r.get("registered") == b"1"

    def test_later_and_on_several(self, r):
        made = redgrease.command(..., convertToStr=True)(lambda x: x)
        one, other = made.on(r), made.on(r, replace=True)
        assert one(5) == other(5) == "5"


def test_hooks(r, plain):
    @redgrease.command(hook="HGET", keyprefix="user:", on=r)
    def upper(key, field):
        return redgrease.runtime.call_next(key, field).upper()

    r.hset("user:1", "name", "ann")
    r.hset("other", "name", "ann")
    assert plain.hget("user:1", "name") == b"ANN" and plain.hget("other", "name") == b"ann"
    assert upper("user:1", "name") == b"ANN"
    assert upper.registration.RegistrationData.args["trigger"].upper() == "HGET"
    assert upper.unregister() is True
    assert plain.hget("user:1", "name") == b"ann"


def test_many_callers_at_once(r):
    double = redgrease.command("double", on=r)(lambda x: 2 * x)
    results = {}

    def caller(number):
        results[number] = [double(number), double([number])]

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: [2 * n, [n, n]] for n in range(20)}


SCRIPT = """
import redgrease

@redgrease.command(on="whatever", replace=True, id="x", requirements="numpy")
def first(x):
    return x * 2

@redgrease.trigger("other", mode="sync", desc="about")
def second(x, y="z"):
    return first(x) + y

@redgrease.command(hook="GETDEL")
def third(key):
    return "hooked " + key

redgrease.execute("SET", "local", first("a") + second("b") + third("c"))
assert type(first) is type(second) is type(third) is type(lambda: 1)
"""


def test_in_a_script_on_the_server_they_act_at_once(r, plain):
    assert r.gears.pyexecute(SCRIPT)
    assert r.get("local") == b"aabbzhooked c"
    assert trigger(plain, "first", "a") == [b"aa"]
    assert trigger(plain, "other", "a", "b") == [b"aab"]
    assert plain.execute_command("GETDEL", "k") == b"hooked k"
    states = [each.RegistrationData for each in r.gears.dumpregistrations()]
    modes = {state.args["trigger"]: state.mode for state in states}
    assert modes["other"] == "sync" and modes["first"] == "async"


def test_they_outlive_the_server(tmp_path):
    from redgrease.engine import GearsServer

    with GearsServer(dir=tmp_path) as server:
        client = server.client()

        @redgrease.command(on=client)
        def kept(point: Point, *, by=(1, 2)):
            return point.moved(sum(by))

        assert kept(Point(1)) == Point(4, 3)
        client.close()
    with GearsServer(dir=tmp_path) as server:
        client = server.client()
        again = redgrease.command("kept")(kept.__wrapped__).on(client, replace=False)
        assert again(Point(1), by=[5]) == Point(6, 5)
        assert again.registration.RegistrationData.numTriggered == 1
        client.close()


def test_decorated_functions_that_are_executed(r):
    """``gears.pyexecute(function)`` gives what is called like ``function.on(client)``."""

    @redgrease.command(replace=True)
    def scaled(point: Point, factor: int = 2):
        return Point(point.x * factor, point.y * factor)

    for _ in range(2):  # as the decorator was told, it replaces itself
        done = r.gears.pyexecute(scaled)
        assert done == True and bool(done)  # noqa: E712
        assert done(Point(1, 2)) == Point(2, 4)
        assert done(Point(1, 2), factor=3) == Point(3, 6)
    assert done.statistics.numTriggered == 2
    assert done.trigger == "scaled"
    with pytest.raises(TypeError, match=r"scaled\(\) missing a required argument: 'point'"):
        done()
    again = r.gears.pyexecute(scaled, id="mine", replace=True)
    assert again.session == "mine"
    assert again.unregister() is True


def test_hooks_that_are_executed(r):
    @redgrease.command(hook="ECHO")
    def hello(name):
        return "hello " + name

    assert r.gears.pyexecute(hello)("you") in (b"hello you", "hello you")
