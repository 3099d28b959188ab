"""Decorators for functions that run on a server."""

import uuid

import pytest

import redgrease
from redgrease.gears import ClosedGearFunction


class Server:
    """Stands for a client: its reply to a registration calls back."""

    def __init__(self):
        self.sent = []

    def pyexecute(self, function, **kwargs):
        self.sent.append((function, kwargs))
        return lambda *args: ("triggered", *args)


def test_without_a_client_it_is_a_closed_function():
    @redgrease.command(mode="sync", requirements="numpy")
    def double(x):
        return 2 * x

    assert isinstance(double, ClosedGearFunction)
    assert double.operation.kwargs["trigger"] == "double"
    assert double.operation.kwargs["mode"] == "sync"
    assert double.requirements == {"numpy"}


def test_triggers_can_be_named_or_unique():
    named = redgrease.trigger("name")(lambda: None)
    assert named.operation.kwargs["trigger"] == "name"
    one, other = (redgrease.command(...)(lambda: None) for _ in range(2))
    assert uuid.UUID(one.operation.kwargs["trigger"])
    assert one.operation.kwargs["trigger"] != other.operation.kwargs["trigger"]


def test_with_a_client_it_stays_a_function():
    server = Server()

    @redgrease.command(on=server, replace=True)
    def greet(name):
        """Say hello."""

    assert greet("you") == ("triggered", "you")
    assert greet.__name__ == "greet" and greet.__doc__ == "Say hello."
    assert server.sent[0][1]["replace"] is True


def test_parentheses_are_needed():
    with pytest.raises(TypeError, match=r"@redgrease.command\(\) above double"):

        @redgrease.command
        def double(x):
            return 2 * x


def test_both_names_are_one():
    assert redgrease.command is redgrease.trigger
