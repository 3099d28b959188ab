"""Sessions that outlive the worker."""

import asyncio
import dataclasses
import os
import sqlite3
import subprocess
import sys
import threading

import pytest
from bare_engine import BareEngine

from redgrease.engine.errors import GearsError
from redgrease.engine.sessions import Session
from redgrease.engine.steps import Step
from redgrease.engine.store import SavedTimer, Store, pickled


@pytest.fixture
def engine():
    return BareEngine()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "registrations.sqlite3")


@pytest.fixture
def store(path):
    store = Store(path)
    yield store
    store.close()


def reload(store, engine):
    """What another engine finds: (engine, session, functions) of the only session."""
    successor = BareEngine()
    ((session, requests),) = Store(store.path).load(successor)
    functions = [step.callbacks[0] for request in requests for step in request.steps]
    return successor, session, functions


@pytest.fixture
def again(store, engine):
    """Saves functions of a script, and gives them as loaded: (session, functions)."""

    def save_and_load(source, *names):
        session = engine.session(source)
        engine.register(session, *(session.globals[name] for name in names))
        store.save(session, engine)
        _, loaded, functions = reload(store, engine)
        return loaded, functions

    return save_and_load


# -- functions --------------------------------------------------------------------------------


def test_globals_are_shared_and_complete(again):
    session, (bump, read) = again(
        "total = 5\n"
        "def bump(x):\n    global total, made\n    total += x\n    made = 'new'\n    return total\n"
        "def read(x):\n    return total, made",
        *("bump", "read"),
    )
    assert bump.__globals__ is read.__globals__ is session.globals
    assert bump(2) == 7
    assert read(0) == (7, "new")
    assert session.globals["__name__"] == "not_main"
    assert {"execute", "GB", "atomic", "loop", "asyncio", "__builtins__"} <= set(session.globals)


def test_functions_keep_their_files_names(again):
    source = "code = compile('def f(x): return x // 0', 'divide.py', 'exec')\nexec(code)"
    _, (divide,) = again(source, "f")
    assert divide.__code__.co_filename == "divide.py"


def test_objects_stay_shared(again):
    session, (put, get) = again(
        "box = {}\ndef put(x): box['x'] = x\ndef get(x): return box", "put", "get"
    )
    put(3)
    assert get(0) == {"x": 3}
    assert get(0) is session.globals["box"]


def test_functions_of_several_registrations_share_globals(store, engine):
    session = engine.session("n = [0]\ndef f(x): n[0] += 1\ndef g(x): return n[0]")
    engine.register(session, session.globals["f"])
    engine.register(session, session.globals["g"], on_registered=session.globals["f"])
    store.save(session, engine)
    ((_, (first, second)),) = Store(store.path).load(BareEngine())
    first.steps[0].callbacks[0](1)
    second.on_registered(1)
    assert second.steps[0].callbacks[0](1) == 2


@pytest.mark.parametrize(
    "source, argument, result",
    [
        ("def outer(n):\n    def f(x): return x + n\n    return f\nf = outer(4)", 1, 5),
        ("import json\ndef f(x): return json.dumps(x)", [1], "[1]"),
        ("def f(x):\n    import os.path\n    return os.path.basename(x)", "a/b", "b"),
        ("import os.path as p\nf = lambda x: p.join('a', x)", "b", "a/b"),
        ("def f(x): return 1 if x < 2 else x * f(x - 1)", 5, 120),
        ("def even(x): return x == 0 or odd(x - 1)\ndef odd(x): return x != 0 and even(x - 1)\n"
         "def f(x): return even(x)", 10, True),
        ("f = lambda x, y=[7]: (x, y)", 1, (1, [7])),
        ("import functools\ndef twice(g):\n    @functools.wraps(g)\n"
         "    def inner(*a, **k): return 2 * g(*a, **k)\n    return inner\n"
         "@twice\ndef f(x): return x + 1", 2, 6),
        ("class Base:\n    def v(self): return 1\nclass C(Base):\n    kept = []\n"
         "    def v(self): return super().v() + 1\n    @classmethod\n    def make(cls):\n"
         "        return cls()\n"
         "def f(x): return C.make().v() + isinstance(C(), Base)", 0, 3),
        ("class E(Exception): pass\ndef f(x):\n    try: raise E(x)\n"
         "    except E as e: return e.args", 3, (3,)),
        ("from dataclasses import dataclass\n@dataclass\nclass P:\n    a: int\n"
         "def f(x): return P(x) == P(3)", 3, True),
        ("from enum import Enum\nclass Colour(Enum):\n    RED = 1\n"
         "def f(x): return Colour(x) is Colour.RED", 1, True),
        ("def f(x): return [y for y in range(x) if y in allowed]\nallowed = {1, 2}", 5, [1, 2]),
        ("def f(x): return len(large)\nlarge = bytes(3_000_000)", 0, 3_000_000),
        ("def f(x):\n    'words'\n    return f.note, f.__doc__, f.__name__\nf.note = 'n'", 0,
         ("n", "words", "f")),
        ("def f(*, x=1): return x\ng = f\ndef f(x): return g(x=x)", 3, 3),
        ("import collections\nP = collections.namedtuple('P', 'a b')\n"
         "def f(x): return P(x, 1).a", 2, 2),
        ("def f(x): return x\nf.self = f", 2, 2),
    ],
)  # fmt: skip
def test_functions(again, source, argument, result):
    _, (function,) = again(source, "f")
    assert function(argument) == result


def test_coroutine_functions(again):
    _, (function,) = again("import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n"
                           "    return x + 1", "f")  # fmt: skip
    assert asyncio.iscoroutinefunction(function)
    assert asyncio.run(function(1)) == 2


def test_server_names_are_those_of_the_new_server(store, engine):
    session = engine.session(
        "runtime = rg\nrun = rg.executeCommand\nE = rg.GearsError\nlock = atomic()\n"
        "def f(x):\n"
        "    return (execute, runtime, run, E, GB, log, loop, mine, type(lock), PyFlatExecution,\n"
        "            asyncio, rg)"
    )
    session.globals["mine"] = session
    engine.register(session, session.globals["f"])
    store.save(session, engine)
    successor, loaded, (function,) = reload(store, engine)
    names, module = successor.script_names, successor.module
    assert function(0) == (
        *(names["execute"], module, module.executeCommand, GearsError, names["GB"], names["log"]),
        *(successor.loop, loaded, names["atomic"], names["PyFlatExecution"], asyncio, module),
    )


def test_names_that_the_script_has_changed(again):
    _, (function,) = again(
        "native = execute\ndef execute(x): return 'mine', x\n"
        "def f(x): return execute(x), native.__name__",
        "f",
    )
    assert function(1) == (("mine", 1), "execute")


def test_globals_as_a_value(again):
    session, (function,) = again("here = globals()\ndef f(x): return here", "f")
    assert function(0) is session.globals


def test_another_session(store, engine):
    other = Session("other")
    session = engine.session("def f(x): return other")
    session.globals["other"] = other
    engine.register(session, session.globals["f"])
    store.save(session, engine)
    _, _, (function,) = reload(store, engine)
    assert function(0).id == "other"


LOCK = "Error occured when serialized a python callback, callback={} error=cannot pickle '_thread"


def test_what_cannot_be_pickled(store, engine):
    source = "import threading\nlock = threading.Lock()\ndef good(x): return x\n"
    session = engine.session(source + "def bad(x):\n    with lock: return x\nworse = lambda: lock")
    good, bad, worse = (session.globals[name] for name in ("good", "bad", "worse"))
    assert pickled(good, session, engine)
    with pytest.raises(GearsError) as raised:
        pickled(bad, session, engine)
    assert str(raised.value).startswith(LOCK.format("bad"))
    engine.register(session, good, on_registered=worse)
    with pytest.raises(GearsError) as raised:
        store.save(session, engine)
    assert str(raised.value).startswith(LOCK.format("<lambda>"))
    assert store.load(engine) == []


def test_a_start_that_cannot_be_pickled(store, engine):
    session = engine.session("def f(a, r): return r")
    made = engine.register(session)
    step = Step("aggregate", (session.globals["f"],) * 2, zero=threading.Lock())
    made.request = dataclasses.replace(made.request, steps=(step,))
    with pytest.raises(GearsError) as raised:
        store.save(session, engine)
    assert str(raised.value).startswith(LOCK.format("<lambda>"))


def test_what_changes_meanwhile(engine):
    class Restless(dict):
        def __reduce__(self):
            if left:
                left.pop()
                raise RuntimeError("dictionary changed size during iteration")
            return dict, ()

    session = engine.session("def f(x): return d")
    session.globals["d"] = Restless()
    left = [1, 2]
    assert pickled(session.globals["f"], session, engine)
    left += range(100)
    with pytest.raises(GearsError, match="does not keep still"):
        pickled(session.globals["f"], session, engine)


# -- the file -----------------------------------------------------------------------------------


def test_all_of_a_session_returns(store, engine):
    session = engine.session("def f(x): return x", "name", description="d", requirements=("a==1",))
    request = engine.register(session, session.globals["f"]).request
    store.save(session, engine)
    ((loaded, (found,)),) = store.load(engine)
    assert (loaded.id, loaded.description, loaded.requirements) == ("name", "d", ("a==1",))
    assert (loaded.linked, loaded.dead, loaded.registrations) == ("None", False, [])
    assert (found.id, found.reader, found.description, found.mode, found.options) == (
        *(request.id, "KeysReader", "words", "async", {"regex": "*"}),
    )
    assert found.steps[0].kind == "map"
    assert found.on_registered is None


def test_removal(store, engine):
    for name in ("one", "two", "three"):
        session = engine.session("def f(x): return x", name)
        for number in range(2):
            engine.register(session, session.globals["f"], ident=f"{name}-{number}")
        store.save(session, engine)
    store.remove_registration("one-0")
    store.remove_registration("nosuch-0")
    store.remove_registration("two-0")
    store.remove_registration("two-1")
    store.remove_session("three")
    store.remove_session("nosuch")
    ((session, requests),) = store.load(engine)
    assert (session.id, [request.id for request in requests]) == ("one", ["one-1"])


def test_replacement_and_numbers(store, engine):
    assert store.next_number() == 0
    for name, replaces in (("a", None), ("b", None), ("a", "a"), ("c", "b")):
        session = engine.session("def f(x): return x", name, description=replaces)
        engine.register(session, session.globals["f"], ident=f"0-{ord(name)}")
        store.save(session, engine, replaces)
    assert [session.id for session, _ in store.load(engine)] == ["a", "c"]
    assert store.next_number() == ord("c") + 1


def test_a_session_is_saved_again_with_more(store, engine):
    session = engine.session("def f(x): return x")
    for number in range(3):
        engine.register(session, session.globals["f"], ident=f"0-{number}")
        store.save(session, engine)
    ((_, requests),) = store.load(engine)
    assert [request.id for request in requests] == ["0-0", "0-1", "0-2"]


def test_a_dead_session_beside_a_living_one_of_its_name(store, engine):
    for dead in (True, False):
        session = engine.session("def f(x): return x", dead=dead)
        engine.register(session, session.globals["f"], ident=f"0-{dead:d}")
        store.save(session, engine)
    assert [requests[0].id for _, requests in store.load(engine)] == ["0-0", "0-1"]


def test_a_session_of_another_python_gives_way(store, engine, path):
    for _ in range(2):
        session = engine.session("def f(x): return x")
        engine.register(session, session.globals["f"])
        store.save(session, engine)
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE sessions SET python = '3.5'")
            assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
        connection.close()


def test_other_versions_and_lost_modules_stay_in_the_file(store, engine, path, caplog):
    for name in ("other", "lost", "well"):
        session = engine.session("def f(x): return x", name)
        engine.register(session, session.globals["f"], ident=f"{name}-1")
        store.save(session, engine)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE sessions SET python = '3.5' WHERE id = 'other'")
        body = b"cno_such_module\nname\n."
        connection.execute("UPDATE sessions SET body = ? WHERE id = 'lost'", (body,))
    connection.close()
    for _ in range(2):
        ((session, _),) = store.load(engine)
        assert session.id == "well"
    assert "session other was saved by Python 3.5 and is not loaded" in caplog.text
    assert "session lost cannot be loaded and stays in the file: ModuleNotFound" in caplog.text
    store.remove_registration("other-1")  # of another Python: not the one that is meant
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (3,)
    connection.close()


def test_a_damaged_file_is_put_aside(path, engine, caplog):
    with open(path, "wb") as file:
        file.write(b"no database at all" * 1000)
    store = Store(path)
    assert store.load(engine) == []
    assert os.path.exists(path + ".damaged")
    assert "is damaged" in caplog.text
    store.close()


def test_a_file_of_a_later_release(path, engine):
    Store(path).load(engine)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1000")
    connection.close()
    with pytest.raises(GearsError, match="later release"):
        Store(path).load(engine)


def test_a_file_that_cannot_be_written(tmp_path, engine):
    store = Store(str(tmp_path / "no" / "file"))
    with pytest.raises(GearsError, match="Failed serializing session: .* cannot be used: "):
        store.save(engine.session(), engine)
    with pytest.raises(GearsError, match="no/file cannot be used: "):
        store.remove_registration("0-1")


def test_several_threads(store, engine):
    def work(name):
        for _ in range(5):
            session = engine.session("def f(x): return x", name)
            engine.register(session, session.globals["f"], ident=name)
            store.save(session, engine, name)
            store.load(engine)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(session.id for session, _ in store.load(engine)) == ["t0", "t1", "t2", "t3"]


@pytest.mark.parametrize("saves", [3, 7, 12])
def test_killed_in_the_midst_of_writing(path, engine, saves):
    program = os.path.join(os.path.dirname(__file__), "bare_engine.py")
    with subprocess.Popen([sys.executable, program, path], stdout=subprocess.PIPE) as process:
        for _ in range(saves):
            process.stdout.readline()
        process.kill()
        rest = process.stdout.read().split()
    last = saves - 1 + len(rest)
    store = Store(path)
    found = {}
    for session, requests in store.load(engine):
        number = int(session.description)
        assert session.id == f"s{number % 3}"
        assert [request.id for request in requests] == [f"{number}-{n}" for n in range(4)]
        assert [r.steps[0].callbacks[0](0) for r in requests] == [number] * 3 + [200_000]
        found[session.id] = number
    store.close()
    assert max(found.values()) in (last, last + 1)  # the one whose number was not printed yet
    assert len(found) == 3


# -- timers -------------------------------------------------------------------------------------


def tick(timer_key, session, seconds=1.0, mark=b"m"):
    return SavedTimer(timer_key, session, seconds, session.globals["tick"], mark)


def test_timers(store, engine):
    session = engine.session("n = [0]\ndef tick(): n[0] += 1\ndef read(x): return n[0]", "s")
    engine.register(session, session.globals["read"])
    store.save(session, engine)
    alone = engine.session("n = 1\ndef tick(): return 'alone', n", "alone", requirements=("r",))
    for timer in (
        tick(b"k\xff", session, 0.5),
        tick(b"l", alone),
        tick(b"m", alone, mark=b"mark"),
        tick(b"n", alone),
    ):
        store.save_timer(timer, engine)
    store.remove_timer(b"n", b"m")
    store.remove_timer(b"m", b"of another one")
    ((loaded, (request,)),) = store.load(engine)
    first, second, third = store.load_timers(engine, [loaded])
    assert (first.key, first.seconds, first.session, first.mark) == (b"k\xff", 0.5, loaded, b"m")
    first.function()
    assert request.steps[0].callbacks[0](0) == 1
    assert (second.key, second.session.id, second.function()) == (b"l", "alone", ("alone", 1))
    assert second.session is third.session
    assert second.session.requirements == ("r",)
    second.function.__globals__["n"] = 2
    assert third.function() == ("alone", 2)


def test_a_timer_of_a_replaced_session(store, engine):
    old = engine.session("v = 'old'\ndef tick(): return v", "s")
    store.save_timer(tick(b"k", old), engine)
    new = engine.session("v = 'new'\ndef read(x): return v", "s")
    engine.register(new, new.globals["read"])
    store.save(new, engine)
    ((loaded, (request,)),) = store.load(engine)
    (timer,) = store.load_timers(engine, [loaded])
    assert timer.session is not loaded
    assert timer.function() == "old"
    assert request.steps[0].callbacks[0](0) == "new"


def test_a_timer_that_cannot_be_pickled(store, engine):
    session = engine.session("import threading\nlock = threading.Lock()\ndef tick(): lock")
    with pytest.raises(GearsError, match="callback=tick error="):
        store.save_timer(tick(b"k", session), engine)
