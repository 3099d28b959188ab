"""Decorators for functions that run on a server: what they make, and what they refuse."""

import copy
import inspect
import pickle
import sys
import types
import uuid

import pytest

pytest.importorskip("cloudpickle")

import redgrease
from redgrease.answering import server_side
from redgrease.calling import Call
from redgrease.func import ClosedCommand, Command
from redgrease.gears import ClosedGearFunction


class Server:
    """Stands for a client: keeps what is registered, and calls it as a server would."""

    def __init__(self):
        self._redis = self
        self.sent = []
        self.triggered = []
        self.functions = {}

    def pyexecute(self, function, **kwargs):
        self.sent.append((function, kwargs))
        settings = function.operation.kwargs
        step = function.input_function.operation
        self.functions[settings.get("trigger", settings.get("hook"))] = step.args[0]

    def send(self, command, name, *args, record):
        assert command == "RG.TRIGGER"
        self.triggered.append((name, args))
        return types.SimpleNamespace(value=record(self.functions[name]([name, *args])))

    def execute_command(self, *words):
        return words


def double(x, times=1):
    """Twice as much."""
    return 2 * x * times


def test_without_a_client_it_is_a_closed_function():
    made = redgrease.command(mode="sync", requirements="numpy")(double)
    assert isinstance(made, ClosedGearFunction) and isinstance(made, ClosedCommand)
    assert made.operation.kwargs["trigger"] == "double"
    assert made.operation.kwargs["mode"] == "sync"
    assert made.requirements == {"numpy"}
    assert made.__wrapped__ is double and made.__doc__ == "Twice as much."
    assert repr(made) == "CommandReader().apply(double).register(mode='sync', trigger='double')"
    with pytest.raises(TypeError, match=r"double\(\) is on no server yet: double.on\(client\)"):
        made(5)


def test_a_closed_function_goes_to_any_number_of_servers():
    made = redgrease.command(id="mine", unblocking=True, replace=False)(double)
    one, other = Server(), Server()
    assert made.on(one)(3) == 6
    assert made.on(other, replace=True, unblocking=False, requirements="numpy")(3, times=2) == 12
    sent = [(function.operation is made.operation, options) for function, options in one.sent]
    assert sent == [
        (True, {"unblocking": True, "requirements": None, "replace": False, "id": "mine"})
    ]
    sent = [(function.operation is made.operation, options) for function, options in other.sent]
    assert sent == [
        (True, {"unblocking": False, "requirements": "numpy", "replace": True, "id": "mine"})
    ]


def test_triggers_can_be_named_or_unique():
    named = redgrease.trigger("name")(lambda: None)
    assert named.operation.kwargs["trigger"] == "name"
    decorate = redgrease.command(...)
    one, other = decorate(lambda: None), decorate(lambda: None)
    assert uuid.UUID(one.operation.kwargs["trigger"])
    assert one.operation.kwargs["trigger"] != other.operation.kwargs["trigger"]
    with pytest.raises(ValueError, match="no name of its own"):
        redgrease.command()(lambda: None)


def test_with_a_client_it_stays_a_function():
    server = Server()

    @redgrease.command(on=server, replace=True)
    def greet(name: str, *, mark: str = "!") -> str:
        """Say hello."""
        return "Hello " + name + mark

    assert isinstance(greet, Command)
    assert greet("you") == "Hello you!" and greet(mark="?", name="you") == "Hello you?"
    assert greet.__name__ == "greet" and greet.__doc__ == "Say hello."
    assert greet.__module__ == __name__ and greet.__annotations__["return"] is str
    assert inspect.signature(greet) == inspect.signature(greet.__wrapped__)
    assert greet.__wrapped__("me") == "Hello me!"
    assert greet.trigger == "greet"
    assert server.sent[0][1]["replace"] is True
    assert [name for name, _ in server.triggered] == ["greet", "greet"]


@pytest.mark.parametrize(
    "args, kwargs",
    [((), {}), ((1, 2, 3), {}), ((1,), {"x": 2}), ((1,), {"y": 2}), ((object(),), {})],
)
def test_a_wrong_call_is_refused_before_anything_is_sent(args, kwargs):
    server = Server()
    made = redgrease.command(on=server)(double)
    with pytest.raises(TypeError):
        made(*args, **kwargs)
    assert server.triggered == []


def test_all_kinds_of_parameters():
    server = Server()

    @redgrease.command(on=server)
    def everything(first, *rest, key=1, **others):
        return first, rest, key, others

    assert everything(1) == (1, (), 1, {})
    assert everything(1, 2, 3, key=4, other=5) == (1, (2, 3), 4, {"other": 5})
    assert everything(first=1, rest=2) == (1, (), 1, {"rest": 2})
    assert everything(1, self=2) == (1, (), 1, {"self": 2})


def test_functions_written_in_c_can_be_decorated():
    server = Server()
    longest = redgrease.command(on=server)(max)
    assert longest.trigger == "max" and longest(3, 5) == 5


def test_any_callable_can_be_decorated():
    import functools

    made = redgrease.command("four_times")(functools.partial(double, times=2))
    server = Server()
    assert made.on(server)(3) == 12


def test_parentheses_are_needed():
    with pytest.raises(TypeError, match=r"@redgrease.command\(\) above double"):
        redgrease.command(double)


def test_both_names_are_one():
    assert redgrease.command is redgrease.trigger


@pytest.mark.parametrize(
    "kwargs, error, text",
    [
        ({"trigger": 5}, TypeError, "trigger is a text"),
        ({"mode": "snyc"}, ValueError, "did you mean 'sync'"),
        ({"triger": "x"}, TypeError, "did you mean 'trigger'"),
        ({"inorder": 1}, TypeError, "inorder is True or False"),
        ({"keyprefix": "p:"}, TypeError, "cannot be combined"),
        ({"trigger": "t", "hook": "GET"}, TypeError, "cannot be combined"),
        ({"convertToStr": "yes"}, TypeError, "convertToStr is True or False"),
        ({"desc": 5}, TypeError, "desc is a text"),
        ({"batch": 5}, TypeError, "no argument 'batch'"),
    ],
)
def test_wrong_arguments_are_refused(kwargs, error, text):
    with pytest.raises(error, match=text):
        redgrease.command(**kwargs)(double)


def test_generators_are_refused():
    def numbers():
        yield 1

    with pytest.raises(TypeError, match=r"numbers\(\) is a generator function"):
        redgrease.command()(numbers)


def test_all_arguments_of_register_are_passed_on():
    made = redgrease.command(
        "t", "p*", False, "async_local", print, inorder=True, desc="about", convertToStr=True
    )(double)
    kwargs = made.operation.kwargs
    assert kwargs["onRegistered"].__name__ == "print"
    assert made.operation.args == ("p*",) and made.steps[0].desc == "about"
    assert kwargs["collect"] is False and kwargs["inorder"] is True
    assert kwargs["mode"] == "async_local" and kwargs["trigger"] == "t"
    assert server_side(double, {}, True)(["t", "2"]) == b"22"


def test_all_arguments_of_pyexecute_are_passed_on():
    server = Server()
    options = {
        "id": "x",
        "description": "about",
        "upgrade": True,
        "replace_with": "y",
        "force_reinstall_requirements": True,
        "enforce_redgrease": False,
        "timeout": 5,
    }
    redgrease.command(on=server, **options)(double)
    sent = server.sent[0][1]
    assert {name: sent[name] for name in options} == options


class TestHooks:
    def test_have_no_trigger(self):
        made = redgrease.command(hook="HGET", keyprefix="p:")(double)
        kwargs = made.operation.kwargs
        assert kwargs["hook"] == "HGET" and kwargs["keyprefix"] == "p:"
        assert "trigger" not in kwargs and "convertToStr" not in kwargs
        assert repr(made).endswith(".apply(double).register(hook='HGET', keyprefix='p:')")

    def test_calling_one_runs_the_command(self):
        server = Server()
        made = redgrease.command(hook="HGET", on=server)(double)
        assert made.trigger is None
        assert made("key", "field") == ("HGET", "key", "field")
        assert made("key", times=3) == ("HGET", "key", 3)
        with pytest.raises(TypeError):
            made()

    def test_its_arguments_have_no_names(self):
        made = redgrease.command(hook="HGET", on=Server())(lambda *, key: key)
        with pytest.raises(TypeError, match="have no names: key"):
            made(key=1)


class Account:
    @redgrease.command(...)
    def unbound(self):
        return self


def test_methods_are_bound():
    server = Server()
    Account.balance = redgrease.command("balance", on=server)(lambda self, x: x)
    with pytest.raises(TypeError, match="Account, which cannot be sent"):
        Account().balance(1)
    assert Account.balance("self", 5) == 5


SERVER = Server()


@redgrease.command(on=SERVER)
def visible(x):
    return x


@redgrease.command()
def visible_too(x):
    return x


@pytest.mark.parametrize("made", [visible, visible_too])
def test_copies_are_the_same(made):
    assert copy.copy(made) is made and copy.deepcopy(made) is made
    assert pickle.loads(pickle.dumps(made)) is made


def test_shipped_functions_see_the_plain_functions():
    from redgrease.shipping import loader, pickler

    def uses(x):
        return visible(x) + visible_too(x)

    pickled = pickler.dumps(uses)
    assert not pickled.needs_redgrease
    again = loader.Unpickler(pickled.data, {}).load()
    assert again(3) == 6 and SERVER.triggered == []
    names = again.__globals__
    assert all(inspect.isfunction(names[name]) for name in ("visible", "visible_too"))


def test_what_travels_needs_nothing():
    """Neither redgrease nor cloudpickle: only the standard library."""
    from redgrease.shipping import loader, pickler

    made = redgrease.command()(visible.__wrapped__)
    pickled = pickler.dumps(made.input_function.operation.args)
    assert not pickled.needs_redgrease
    (called,) = loader.Unpickler(pickled.data, {}).load()
    assert called(["visible", "a"]) == b"a"
    call = Call({}, ((1, 2),), {})
    assert call.value(called(["visible", *call.words]), pickle.loads) == (1, 2)


def shipped(made):
    """What a server calls for a decorated function."""
    from redgrease.shipping import loader, pickler

    pickled = pickler.dumps(made.input_function.operation.args)
    (called,) = loader.Unpickler(pickled.data, {}).load()
    return called


class ShippingServer(Server):
    """Ships functions at the moment in which they are registered."""

    def pyexecute(self, function, **kwargs):
        super().pyexecute(function, **kwargs)
        self.functions[function.operation.kwargs["trigger"]] = shipped(function)


def test_a_function_may_call_itself_and_be_defined_again():
    server = ShippingServer()
    scope = {"__name__": "__main__", "redgrease": redgrease, "server": server}
    for number in (1, 2):
        exec(
            "@redgrease.command(on=server)\n"
            f"def down(n):\n    return n if n < 1 else down(n - 1) + {number}",
            scope,
        )
        assert scope["down"](3) == 3 * number and len(server.triggered) == number

    @redgrease.command(on=server)
    def inner(n):
        return 1 if n < 2 else n * inner(n - 1)

    assert inner(5) == 120


def test_names_are_as_before_after_an_error():
    class Refusing(Server):
        def pyexecute(self, function, **kwargs):
            raise RuntimeError("no")

    scope = {"__name__": "__main__", "redgrease": redgrease, "server": Refusing()}
    with pytest.raises(RuntimeError):
        exec("@redgrease.command(on=server)\ndef f():\n    f()", scope)
    assert "f" not in scope


@pytest.mark.skipif(sys.version_info < (3, 7), reason="the server is written for Python 3.7")
def test_on_a_server_without_named_sessions():
    redis = pytest.importorskip("redis")
    from support.old_gears import OldGears

    server = OldGears()

    def trigger(words):
        name, *args = (word.decode() for word in words[1:])
        for steps in server.registered.values():
            if steps[-1][2]["trigger"] == name:
                return [step[1][0]([name, *args]) for step in steps[1:-1]]
        raise AssertionError(name)

    server.on("RG.TRIGGER", trigger)
    with server:
        client = redis.Redis(port=server.port)

        def made(replace, number):
            return redgrease.command("t", on=client, replace=replace)(lambda x: [x, number])

        first = made(None, 1)
        assert first(2.5) == [2.5, 1]
        with pytest.raises(redgrease.exceptions.DuplicateTriggerError):
            made(None, 2)
        assert made(True, 2)(None) == [None, 2] and first(0) == [0, 2]
        with pytest.raises(redgrease.exceptions.DuplicateTriggerError):
            made(False, 3)
        assert made(False, 2)("x") == ["x", 2]
        client.close()
