"""Just enough of an engine for sessions, their store and requirements: no Redis, no threads.

Run as a program it saves sessions without an end, for tests that kill it: it prints the number of
each save that has returned.
"""

import itertools
import sys
from types import SimpleNamespace

from redgrease.engine.context import Context, entered
from redgrease.engine.native import Native, redis_ai_stub
from redgrease.engine.registrations import Request
from redgrease.engine.requirements import Requirements
from redgrease.engine.sessions import Session, Sessions
from redgrease.engine.steps import Step
from redgrease.engine.store import Store, fresh_globals


class BareEngine:
    """See above."""

    def __init__(self, directory="/nonexistent"):
        self.directory = directory
        self.in_server = lambda: True
        self.loop = object()
        self.running = []
        self.executions = SimpleNamespace(all=lambda: self.running)
        self.timers = SimpleNamespace(count=lambda session: 0)
        self.futures = SimpleNamespace(create=None, set_result=None, set_exception=None)
        self.requirements = Requirements(directory)
        self.sessions = Sessions(self)
        native = Native(self)
        self.module = native.module()
        self.script_names = native.script_globals(self.module, redis_ai_stub())

    def loop_name(self):
        return self.loop

    def session(self, source="", ident="s", **kwargs):
        """A session whose script has run."""
        session = Session(ident, globals=fresh_globals(self), **kwargs)
        with entered(Context(session)):
            exec(compile(source, "<string>", "exec", dont_inherit=True), session.globals)
        return session

    def register(self, session, *functions, ident=None, on_registered=None, **kwargs):
        """Give a session a registration whose steps are maps with these functions."""
        ident = ident or f"{'0' * 40}-{len(session.registrations)}"
        steps = tuple(Step("map", (function,)) for function in functions)
        request = Request(
            ident, "KeysReader", "words", steps, "async", {"regex": "*"}, on_registered, **kwargs
        )
        registration = Registered(session, request)
        session.registrations.append(registration)
        return registration


class Registered:
    """A registration, as far as its session knows it."""

    def __init__(self, session, request):
        self.session, self.request, self.id = session, request, request.id

    def dump(self, private=True):
        return ["id", self.id, *range(10 if private else 8)]


def save_for_ever(path):
    engine, store = BareEngine(), Store(path)
    for number in itertools.count():
        ident = f"s{number % 3}"
        session = engine.session(f"number = {number}\ndef f(x): return number", ident)
        session.description = str(number)
        for place in range(3):
            where = f"{number}-{place}"
            engine.register(session, session.globals["f"], ident=where)
        session.globals["padding"] = bytes(200_000)
        exec("def g(x): return len(padding)", session.globals)
        engine.register(session, session.globals["g"], ident=f"{number}-3")
        store.save(session, engine, ident)
        print(number, flush=True)


if __name__ == "__main__":
    save_for_ever(sys.argv[1])
