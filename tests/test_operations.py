"""The steps as data."""

import functools
import operator

import pytest

from redgrease import operations as ops


def double(x):
    return 2 * x


class Builder:
    """A server's builder that notes its steps."""

    def __init__(self, *args):
        self.noted = [("reader", args, {})]

    def __getattr__(self, name):
        def step(*args, **kwargs):
            self.noted.append((name, args, kwargs))
            return self

        return step


@pytest.mark.parametrize("name, kind", ops.STEPS.items())
def test_each_step_calls_the_method_of_its_name(name, kind):
    args = tuple(range(len(kind.fields)))
    step = kind(*args)
    builder = Builder()
    assert step.add_to(builder) is builder
    assert builder.noted[1:] == [(name, args, {})]
    assert name == kind.__name__.lower() and kind.__module__ == "redgrease.operations"


@pytest.mark.parametrize("kind", ops.STEPS.values())
def test_arguments_are_attributes_and_may_be_named(kind):
    names = [name for name, _ in kind.fields]
    step = kind(**{name: name for name in names})
    assert step.args == tuple(names)
    assert [getattr(step, name) for name in names] == names
    assert step.kwargs == {}


def test_arguments_have_the_defaults_of_servers():
    assert ops.Limit(5).args == (5, 0)
    assert ops.Sort().args == (True,)
    assert ops.Reader().args == ("KeysReader", "*", None)
    assert ops.Register().args == ("*",) and ops.Run().args == (None,)


def test_missing_and_surplus_arguments_are_refused():
    with pytest.raises(TypeError, match="Map needs an argument 'op'"):
        ops.Map()
    with pytest.raises(TypeError, match="Aggregate needs an argument 'combOp'"):
        ops.Aggregate(0, double)
    with pytest.raises(TypeError, match="Collect takes 0 arguments, not 1"):
        ops.Collect(1)


def test_a_reader_makes_the_builder():
    made = ops.Reader("StreamReader", "s", "about").add_to(Builder)
    assert made.noted == [("reader", ("StreamReader", "s", "about"), {})]


def test_closing_steps_know_how_they_close():
    run = ops.Run("a*", convertToStr=False, noScan=True)
    assert run.arg == "a*" and run.convertToStr is False and run.collect is True
    assert run.kwargs == {"convertToStr": False, "noScan": True}
    register = ops.Register("b*", collect=False, mode="sync", onRegistered=double)
    assert register.prefix == "b*" and register.collect is False
    assert register.mode == "sync" and register.onRegistered is double
    assert ops.Register().mode == "async" and ops.Register().onRegistered is None
    assert ops.Register().convertToStr is None


def test_nothing_is_a_step_too():
    builder = Builder()
    assert ops.Nop().add_to(builder) is builder and len(builder.noted) == 1


class Plain:
    pass


class Shown:
    def __repr__(self):
        return "as I like"


class Named:
    __name__ = "mine"

    def __call__(self):
        pass


@pytest.mark.parametrize(
    "value, text",
    [
        (double, "double"),
        (lambda x: x, "<lambda>"),
        (len, "len"),
        (operator.add, "operator.add"),
        (str.upper, "str.upper"),
        ("a".join, "'a'.join"),
        ([].append, "[].append"),
        (int, "int"),
        (Plain, "Plain"),
        (Plain(), "<Plain>"),
        (Shown(), "as I like"),
        (Named(), "mine"),
        (functools.partial(pow, 2, mod=3), "partial(pow, 2, mod=3)"),
        ("a*", "'a*'"),
        (5, "5"),
        (None, "None"),
    ],
)
def test_values_are_shown_as_they_were_written(value, text):
    assert ops.described(value) == text


def test_calls_are_shown_as_they_were_written():
    assert ops.call("limit", [5], {"start": 2}) == "limit(5, start=2)"
    assert repr(ops.Limit(5)) == "Limit(5, 0)"


def test_what_stands_for_no_method_says_so():
    class Odd(ops.Operation):
        pass

    for kind in (ops.Operation, Odd):
        with pytest.raises(NotImplementedError, match=kind.__name__):
            kind().add_to(Builder())
