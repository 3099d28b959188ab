"""Loading scripts from files, and watching these."""

import os
import shutil
import sys
import threading
import time

import pytest

redis = pytest.importorskip("redis")
if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

from redgrease.loader import GearsLoader, fail  # noqa: E402
from redgrease.loading import Deployer, Patterns, explain  # noqa: E402
from redgrease.watching import Watcher  # noqa: E402

TRIGGER = "GB('CommandReader').map(lambda r: {answer}).register(trigger='{name}')\n"


def until(condition, timeout=20):
    limit = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < limit, "it has taken too long"
        time.sleep(0.01)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return str(path)


def script(path, answer=1, name=None):
    return write(path, TRIGGER.format(answer=answer, name=name or path.stem))


def triggers(r):
    return sorted(each.RegistrationData.args["trigger"] for each in r.gears.dumpregistrations())


def answer(r, name):
    return int(r.gears.trigger(name).value)


# -- which files


def test_patterns_tell_what_files_are():
    patterns = Patterns(scripts=["*.py", "gears/*.gear"], ignore=["_*", "old"])
    assert patterns.kind("x/a.py") == "script"
    assert patterns.kind("x/gears/a.gear") == "script"
    assert patterns.kind("a.gear") is None
    assert patterns.kind("a.gear", named=True) == "script"
    assert patterns.kind("my-requirements-1.txt") == "requirements"
    assert patterns.is_ignored("x/_a.py") and patterns.is_ignored("old")


@pytest.mark.parametrize(
    "pattern, expected",
    [(None, True), ("block", True), ("*unbl*", True), ("unbl", True), ("*.txt", False)],
)
def test_unblocking(pattern, expected):
    assert Patterns(unblocking=pattern).is_unblocking("x/unblock_a.py") is expected


def test_files_are_found_in_order(tmp_path):
    for name in ("b.py", "a.py", "_c.py", "requirements.txt", "sub/d.py", "_sub/e.py", "f.md"):
        write(tmp_path / name, "")
    patterns = Patterns()

    def found(recursive):
        paths = patterns.find([str(tmp_path), str(tmp_path / "f.md")], recursive)
        return [os.path.relpath(path, str(tmp_path)) for path in paths]

    assert found(False) == ["requirements.txt", "a.py", "b.py", "f.md"]
    assert found(True) == ["requirements.txt", "a.py", "b.py", "sub/d.py", "f.md"]
    with pytest.raises(FileNotFoundError):
        patterns.find(["/no/such/file"])


# -- one script


def test_a_script_replaces_what_it_registered(r, tmp_path):
    deployer, path = Deployer(r), script(tmp_path / "a.py", 1)
    first = deployer.load(path)
    assert not first.failed and len(first.registrations) == 1 and answer(r, "a") == 1
    script(tmp_path / "a.py", 2)
    second = deployer.load(path)
    assert answer(r, "a") == 2 and triggers(r) == ["a"]
    assert set(second.registrations).isdisjoint(first.registrations)
    script(tmp_path / "a.py", 3, "other")
    deployer.load(path)
    assert triggers(r) == ["other"]
    assert deployer.unload(path).action == "unregistered" and triggers(r) == []


def test_a_script_that_fails_leaves_the_former_one(r, tmp_path):
    deployer, path = Deployer(r), script(tmp_path / "a.py", 1)
    deployer.load(path)
    write(tmp_path / "a.py", "x = 1\n\ndef f():\n    return x / 0\nf()\n")
    outcome = deployer.load(path)
    assert outcome.failed and answer(r, "a") == 1
    assert f'File "{path}", line 4, in f\n    return x / 0' in outcome.error
    assert outcome.error.endswith("ZeroDivisionError: division by zero")
    assert "<string>" not in outcome.error


def test_a_script_that_registers_nothing_any_more(r, tmp_path):
    deployer, path = Deployer(r), script(tmp_path / "a.py", 1)
    deployer.load(path)
    write(tmp_path / "a.py", "GB().count().run()")
    outcome = deployer.load(path)
    assert not outcome.failed
    assert triggers(r) == []


def test_what_is_wrong_with_the_syntax(r, tmp_path):
    path = write(tmp_path / "a.py", "x = 1\ndef f(:\n  pass\n")
    error = Deployer(r).load(path).error
    assert f'File "{path}", line 2' in error and "def f(:" in error and "SyntaxError" in error


def test_errors_of_records_are_failures(r, tmp_path):
    r.set("k", 1)
    path = write(tmp_path / "a.py", "GB().map(lambda r:\n  1/0).run()\n")
    outcome = Deployer(r).load(path)
    assert outcome.failed and f'File "{path}", line 2' in outcome.error


def test_empty_and_missing_files(r, tmp_path):
    deployer = Deployer(r)
    assert "is empty" in deployer.load(write(tmp_path / "a.py", " \n")).error
    assert "No such file" in deployer.load(str(tmp_path / "b.py")).error


def test_names_can_be_relative(r, tmp_path):
    path = script(tmp_path / "a" / "s.py")
    shutil.copytree(str(tmp_path / "a"), str(tmp_path / "b"))
    one = Deployer(r, root=str(tmp_path / "a"))
    other = Deployer(r, root=str(tmp_path / "b"))
    assert one.session(path) == other.session(str(tmp_path / "b" / "s.py"))
    assert one.session(path) != Deployer(r).session(path)


def test_old_servers_have_notes(r, tmp_path):
    class Old(Deployer):
        def _has_sessions(self):
            return False

    deployer, path = Old(r), script(tmp_path / "a.py", 1)
    text = (tmp_path / "a.py").read_text()
    write(tmp_path / "a.py", text + TRIGGER.format(answer=5, name="b"))
    assert len(deployer.load(path).registrations) == 2
    key = "/redgrease/scripts" + path
    assert r.hget(key, "registration_id")
    script(tmp_path / "a.py", 2)
    deployer.load(path)
    assert triggers(r) == ["a"] and answer(r, "a") == 2
    deployer.unload(path)
    assert triggers(r) == [] and not r.exists(key)
    r.hset(key, "registration_id", "0" * 40 + "-99999")  # from a server that is no more
    assert not deployer.load(path).failed


def test_a_server_that_is_not_there(tmp_path):
    client = pytest.importorskip("redgrease").RedisGears(port=1)
    outcome = Deployer(client).load(script(tmp_path / "a.py"))
    assert outcome.failed and outcome.offline


def test_requirements_that_cannot_be_read(r, tmp_path):
    path = write(tmp_path / "requirements.txt", "this is none\n")
    assert Deployer(r).load(path).failed
    path = write(tmp_path / "requirements.txt", "# nothing\n")
    assert Deployer(r).load(path).action == "installed"


def test_texts_that_are_no_tracebacks_stay():
    assert explain("something", "a.py", "") == "something"
    assert explain(OSError("why"), "a.py", "") == "why"


# -- watching


class Watched:
    """A watcher of a directory, and what it has reported."""

    def __init__(self, r, folder, quiet=0.05, **options):
        self.outcomes = []
        self.news = threading.Condition()
        self.watcher = Watcher(
            Deployer(r), [str(folder)], quiet=quiet, report=self._report, **options
        )

    def _report(self, outcome):
        with self.news:
            self.outcomes.append(outcome)
            self.news.notify_all()

    def wait(self, *actions):
        with self.news:
            assert self.news.wait_for(lambda: len(self.outcomes) >= len(actions), 20)
            seen, self.outcomes[:] = [each.action for each in self.outcomes], []
        assert seen == list(actions)

    def __enter__(self):
        self.watcher.start()
        return self

    def __exit__(self, *exception):
        self.watcher.stop()


@pytest.fixture
def watched(r, tmp_path):
    pytest.importorskip("watchdog")
    with Watched(r, tmp_path, recursive=True) as watched:
        yield watched


def test_a_script_comes_changes_breaks_and_goes(watched, r, tmp_path):
    path = tmp_path / "a.py"
    script(path, 1)
    watched.wait("loaded")
    assert answer(r, "a") == 1
    write(path, "1/0\n")
    watched.wait("failed")
    assert answer(r, "a") == 1
    os.utime(str(path))  # tried again, although it has not changed
    watched.wait("failed")
    script(path, 2)
    watched.wait("loaded")
    assert answer(r, "a") == 2
    path.unlink()
    watched.wait("unregistered")
    assert triggers(r) == []


def test_as_editors_save(watched, r, tmp_path):
    path = tmp_path / "a.py"
    script(path, 1)
    watched.wait("loaded")
    script(tmp_path / ".a.py.swp", 2, "a")
    os.replace(str(tmp_path / ".a.py.swp"), str(path))
    watched.wait("loaded")
    assert answer(r, "a") == 2


def test_a_script_gets_another_name(watched, r, tmp_path):
    script(tmp_path / "a.py", 1, "same")
    watched.wait("loaded")
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    watched.wait("unregistered", "loaded")
    assert triggers(r) == ["same"]


def test_directories_come_and_go(watched, r, tmp_path_factory, tmp_path):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    script(elsewhere / "d" / "a.py", 1)
    script(elsewhere / "d" / "_b.py", 1)
    (elsewhere / "d").rename(tmp_path / "d")
    watched.wait("loaded")
    (tmp_path / "d").rename(elsewhere / "d")
    watched.wait("unregistered")
    assert triggers(r) == []


@pytest.mark.parametrize("poll", [False, True])
@pytest.mark.parametrize("way", ["removed", "renamed"])
def test_a_watched_directory_that_comes_again(r, tmp_path, monkeypatch, way, poll):
    pytest.importorskip("watchdog")
    monkeypatch.setattr("redgrease.watching.RETRY", 0.1)
    folder = tmp_path / "scripts"
    script(folder / "a.py", 1)
    # On a busy machine it may take long from a new directory to what is in its files.
    with Watched(r, folder, quiet=0.5, poll=poll) as watched:
        watched.wait("loaded")
        if way == "removed":
            shutil.rmtree(str(folder))
        else:
            folder.rename(tmp_path / "away")
        watched.wait("unregistered")
        script(folder / "b.py", 1)
        watched.wait("loaded")
        script(folder / "b.py", 2)
        watched.wait("loaded")
        assert triggers(r) == ["b"] and answer(r, "b") == 2


def test_files_that_do_not_concern_it(watched, r, tmp_path):
    script(tmp_path / "_a.py")
    write(tmp_path / "notes.md", "")
    script(tmp_path / "b.py")
    watched.wait("loaded")
    assert triggers(r) == ["b"]


def test_single_files_and_polling(r, tmp_path):
    pytest.importorskip("watchdog")
    path = script(tmp_path / "a.py", 1)
    with Watched(r, path, poll=True) as watched:
        watched.wait("loaded")
        script(tmp_path / "other.py")
        script(tmp_path / "a.py", 22)
        watched.wait("loaded")
        assert triggers(r) == ["a"]


# -- the loader of older releases


@pytest.fixture
def address(gears_server):
    return {"server": gears_server.host, "port": gears_server.port}


def test_the_loader(r, address, tmp_path, caplog):
    script(tmp_path / "a.py")
    script(tmp_path / "sub" / "b.py")
    write(tmp_path / "broken.py", "1/0")
    write(tmp_path / "requirements.txt", "")
    loader = GearsLoader(**address)
    assert loader.observer is None
    loader.add_directory(tmp_path, recursive=True)
    assert triggers(r) == ["a", "b"] and loader.directories == [str(tmp_path)]
    assert "ZeroDivisionError" in caplog.text
    loader.unregister_script(tmp_path / "a.py")
    assert triggers(r) == ["b"]
    with pytest.raises(FileNotFoundError):
        loader.add_file(tmp_path / "none.py")
    with pytest.raises(OSError):
        loader.add_file(write(tmp_path / "empty.py", ""))
    assert loader.unblocking_pattern.search("an/unblock.py")


def test_the_loader_watches(r, address, tmp_path):
    pytest.importorskip("watchdog")
    loader = GearsLoader(observe=0.05, **address)
    loader.add_directory(tmp_path)
    loader.add_file(script(tmp_path / "x" / "single.py"))
    loader.start()
    try:
        script(tmp_path / "a.py")
        until(lambda: triggers(r) == ["a", "single"])
        (tmp_path / "a.py").rename(tmp_path / "a2.py")
        script(tmp_path / "x" / "single.py", 5)
        until(lambda: triggers(r) == ["a", "single"] and answer(r, "single") == 5)
        (tmp_path / "x" / "single.py").unlink()
        until(lambda: triggers(r) == ["a"])
    finally:
        loader.stop()


def test_failing():
    with pytest.raises(ValueError):
        fail(ValueError("why"), "first", "second")
