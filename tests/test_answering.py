"""What a server calls for a trigger."""

import asyncio
import sys
import types

import pytest

from redgrease.answering import MARK, server_side
from redgrease.shipping import loader


def words(*args):
    return ["name", *args]


def shout(text="nothing", times=1):
    return text.upper() * int(times)


def test_plain_clients_give_texts_and_get_texts():
    called = server_side(shout, {})
    assert called(words("a")) == b"A" and called(words("a", "3")) == b"AAA"
    assert called(words()) == b"NOTHING"
    assert called.__name__ == "shout"


@pytest.mark.parametrize(
    "result, reply",
    [
        ("-3", b"-3"),
        ("+OK", b"+OK"),
        ("é", "é".encode()),
        ("\ud800", b"\\ud800"),
        (b"\0\xff", b"\0\xff"),
        (bytearray(b"-x"), b"-x"),
        (5, b"5"),
        (None, b"None"),
        (1.5, b"1.5"),
        ([1, "a"], b"[1, 'a']"),
    ],
)
def test_results_for_plain_clients_are_bytes(result, reply):
    got = server_side(lambda: result, {})(words())
    assert got == reply and type(got) is bytes


def test_results_may_be_converted_for_everybody_or_nobody():
    marked = words(MARK, '12:[[], {"d": []}]')
    assert server_side(lambda: 5, {}, convert=True)(words()) == b"5"
    assert server_side(lambda: b"x", {}, convert=True)(words()) == b"b'x'"
    assert server_side(lambda: 5, {}, convert=True)(marked).endswith(loader.encode("5"))
    assert server_side(lambda: 5, {}, convert=False)(words()) == 5
    assert server_side(lambda: "-x", {}, convert=False)(words()) == "-x"
    assert server_side(lambda: 5, {}, convert=False)(marked).endswith(loader.encode(5))


def test_a_mark_alone_is_a_text_like_any_other():
    called = server_side(lambda *args: len(args), {})
    assert called(words(MARK)) == b"1" and called(words(MARK, "a", "b")) == b"3"


@pytest.mark.parametrize(
    "data",
    [
        '{"o": ["os system", "call", ["true"], null, [], []]}',
        '{"o": ["subprocess Popen", "call", ["true"], null, [], []]}',
        '{"o": ["builtins eval", "call", ["1"], null, [], []]}',
        '{"o": ["builtins object", "new", [], null, [], []]}',
        '{"o": ["types FunctionType", "call", [], null, [], []]}',
        '{"k": "os system"}',
        '{"k": "builtins eval"}',
        '{"x": 1}',
    ],
)
def test_arguments_can_make_nothing_but_data(data):
    called = server_side(lambda value: value, {})
    with pytest.raises((TypeError, ValueError), match="is not accepted|unknown kind"):
        called(words(MARK, f'0:[[{data}], {{"d": []}}]'))


def test_constructors_of_users_classes_are_not_called():
    class Dangerous:
        def __init__(self, command):
            raise AssertionError(command)

    classes = {"m Dangerous": Dangerous}
    got = []
    called = server_side(lambda value: got.append(value), classes)
    called(words(MARK, '0:[[{"o": ["m Dangerous", "call", ["x"], null, [], []]}], {"d": []}]'))
    assert type(got[0]) is Dangerous and vars(got[0]) == {}


def test_defaults_of_keywords_are_kept_for_old_servers():
    def function(*args, key=5, other=(1,)):
        return key, other

    called = server_side(function, {})
    function.__kwdefaults__ = None  # as pickling it there does
    assert called(words("a")) == b"(5, (1,))"


class TestCoroutines:
    async def later(self, text):
        await asyncio.sleep(0)
        return text.upper()

    async def failing(self):
        raise KeyError("missing")

    @pytest.fixture
    def server(self, monkeypatch):
        module = types.ModuleType("redisgears")
        module.gearsFutureCtx = object
        monkeypatch.setitem(sys.modules, "redisgears", module)
        return module

    def call(self, function, *args):
        def plain(*args):
            return function(*args)

        return server_side(plain, {})(words(*args))

    def run(self, coroutine):
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(coroutine)
        finally:
            loop.close()

    def test_servers_wait_for_them(self, server):
        waiting = self.call(self.later, "a")
        assert asyncio.iscoroutine(waiting) and self.run(waiting) == b"A"

    def test_errors_have_their_traceback(self, server):
        with pytest.raises(RuntimeError) as raised:
            self.run(self.call(self.failing))
        assert str(raised.value).startswith("['Traceback") and "KeyError: 'missing'" in str(
            raised.value
        )

    def test_older_servers_run_them_to_their_end(self, server):
        del server.gearsFutureCtx
        assert self.call(self.later, "a") == b"A"
        with pytest.raises(RuntimeError, match="KeyError: 'missing'"):
            self.call(self.failing)


def test_futures_are_only_for_plain_clients():
    class Future:
        def continueRun(self, value):
            pass

    future = Future()
    called = server_side(lambda: future, {})
    assert called(words()) is future
    with pytest.raises(TypeError, match="let it be an async function"):
        called(words(MARK, '0:[[], {"d": []}]'))
