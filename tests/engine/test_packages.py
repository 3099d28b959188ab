"""Packages that scripts ask for (the client's own are in tests/test_requirements.py)."""

import importlib
import os
import socket
import sys
import threading

import pytest
from support.tiny_wheel import make_wheel

from redgrease.engine import packages, requirements
from redgrease.engine.requirements import NO_WHEELS, RequirementError, Requirements
from redgrease.engine.wheels import CURRENT_OS, pack, unpack

pytest_plugins = ["worker_fixtures"]

HELPERS = ("tinypack", "tinyhelp", "tinyother")


@pytest.fixture(autouse=True)
def clean():
    """No trace of the packages remains in this process."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] in HELPERS]:
        del sys.modules[name]


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that is all that pip knows of the world."""
    directory = tmp_path / "index"
    directory.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    return directory


@pytest.fixture
def attempts(monkeypatch):
    """The requirements that pip was asked for, one list per time."""
    made = []
    real = packages.make_wheels

    def counted(names, directory, fresh):
        made.append(list(names))
        return real(names, directory, fresh)

    monkeypatch.setattr(requirements, "make_wheels", counted)
    return made


def version():
    return importlib.import_module("tinypack").version


def entry(reply):
    return dict(zip(reply[::2], reply[1::2]))


def install(there, *names, force=False):
    missing = there.missing(names, force)
    return not missing or there.install(missing, force)


# -- installation -------------------------------------------------------------------------------


def test_install_and_find_again(tmp_path, index, attempts):
    make_wheel(index, needs=["tinyhelp>=1"])
    make_wheel(index, "tinyhelp", "1.1")
    make_wheel(index, "tinyother")
    there = Requirements(str(tmp_path / "home"))
    assert install(there, "TinyPack[more]==1.0", "tinyother")
    assert version() == "1.0"
    first, second = map(entry, there.dump())
    assert first["Wheels"] == ["tinyhelp-1.1-py3-none-any.whl", "tinypack-1.0-py3-none-any.whl"]
    assert second["Wheels"] == ["tinyother-1.0-py3-none-any.whl"]
    assert sorted(os.listdir(second["Path"])) == ["requirement.json", *second["Wheels"]]
    assert first == {
        **{"GearReqVersion": 1, "Name": "TinyPack[more]==1.0", "IsDownloaded": "yes"},
        **{"IsInstalled": "yes", "CompiledOs": CURRENT_OS, "Wheels": first["Wheels"]},
        **{"Path": first["Path"], "RefCount": 1, "IsInReqDictionary": "yes"},
    }
    assert install(there, "TinyPack[more]==1.0", "tinypack")
    later = Requirements(str(tmp_path / "home"))
    assert sorted(map(str, later.dump())) == sorted(map(str, there.dump()[:2]))
    assert install(later, "TinyPack[more]==1.0")
    assert attempts == [["TinyPack[more]==1.0", "tinyother"]]
    assert sorted(os.listdir(os.path.dirname(there.path))) == ["site", "wheels"]
    there.close()
    assert there.path not in sys.path


def test_one_version_is_effective(tmp_path, index, attempts):
    old = {"tinypack/__init__.py": "from .inner import version", "tinypack/inner.py": "version=1",
           "tinypack/gone.py": ""}  # fmt: skip
    new = {"tinypack/__init__.py": "from .inner import version", "tinypack/inner.py": "version=2"}
    make_wheel(index, version="1", modules=old)
    make_wheel(index, version="2", modules=new)
    there = Requirements(str(tmp_path / "home"))
    assert install(there, "tinypack==1")
    first = importlib.import_module("tinypack")
    assert first.version == 1
    assert install(there, "tinypack==2")
    assert version() == 2
    assert first.version == 1  # for functions that had imported it
    assert not os.path.exists(os.path.join(there.path, "tinypack", "gone.py"))
    assert len([name for name in os.listdir(there.path) if name.endswith(".dist-info")]) == 1
    states = {one["Name"]: one["IsInstalled"] for one in map(entry, there.dump())}
    assert states == {"tinypack==1": "no", "tinypack==2": "yes"}
    assert install(there, "tinypack==1")
    assert version() == 1
    assert attempts == [["tinypack==1"], ["tinypack==2"]]  # its wheels were still there


def test_replacing_leaves_shared_folders(tmp_path, index):
    make_wheel(index, version="1", modules={"tinyspace/one.py": "x = 1", "tinyspace/a/b.py": ""})
    make_wheel(index, version="2", modules={"tinyspace/one.py": "x = 2"})
    make_wheel(index, "tinyother", modules={"tinyspace/two.py": "y = 1"})
    there = Requirements(str(tmp_path / "home"))
    assert install(there, "tinypack==1", "tinyother")
    assert install(there, "tinypack==2")
    inside = sorted(os.listdir(os.path.join(there.path, "tinyspace")))
    assert [name for name in inside if name != "__pycache__"] == ["one.py", "two.py"]


def test_force_installs_afresh(tmp_path, index, attempts):
    make_wheel(index, modules={"tinypack.py": "version = 'before'"})
    there = Requirements(str(tmp_path / "home"))
    assert install(there, "tinypack")
    assert version() == "before"
    make_wheel(index, modules={"tinypack.py": "version = 'after'"})
    assert install(there, "tinypack")
    assert version() == "before"
    assert install(there, "tinypack", force=True)
    assert version() == "after"
    assert attempts == [["tinypack"], ["tinypack"]]


def test_our_own_package_is_never_installed(tmp_path, index):
    make_wheel(index, "redgrease", "99", modules={"redgrease/__init__.py": "raise SystemExit"})
    make_wheel(index, needs=["redgrease>=99"])
    there = Requirements(str(tmp_path / "home"))
    assert there.missing(["redgrease[runtime]", "RedGrease"], force=True) == []
    assert install(there, "tinypack")
    assert version() == "1.0"
    assert not os.path.exists(os.path.join(there.path, "redgrease"))
    assert install(there, "redgrease==99")


def test_failure_is_logged(tmp_path, index, caplog):
    there = Requirements(str(tmp_path / "home"))
    assert not install(there, "tinypack==7")
    assert "pip wheel failed (exit code 1)" in caplog.text
    assert "No matching distribution found for tinypack==7" in caplog.text
    assert there.dump() == []
    make_wheel(index, version="7")
    assert install(there, "tinypack==7")
    (index / "broken-1.0-py3-none-any.whl").write_bytes(b"no wheel")
    caplog.clear()
    assert not install(there, "broken")
    assert "pip wheel failed" in caplog.text
    wheels_of = there.get("tinypack==7").path
    assert os.listdir(os.path.dirname(wheels_of)) == [os.path.basename(wheels_of)]


def test_no_pip(tmp_path, index, monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    assert not install(Requirements(str(tmp_path / "home")), "tinypack")
    assert "pip cannot be run" in caplog.text


def test_no_folder(tmp_path, index, caplog):
    (tmp_path / "file").write_text("")
    assert not install(Requirements(str(tmp_path / "file")), "tinypack")
    assert "tinypack cannot be installed" in caplog.text


def test_at_the_same_time(tmp_path, index, attempts):
    make_wheel(index)
    there = Requirements(str(tmp_path / "home"))
    missing = there.missing(["tinypack"])
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(there.install(missing))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4
    assert attempts == [["tinypack"]]


class CountingLock:
    """A lock that tells how many threads have come to it."""

    def __init__(self):
        self._lock = threading.Lock()
        self.came = threading.Semaphore(0)

    def __enter__(self):
        self.came.release()
        self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()


def test_waiting_ones_share_what_came_of_it(tmp_path, index, attempts):
    there = Requirements(str(tmp_path / "home"))
    there._lock = lock = CountingLock()
    results = []
    with lock:
        threads = [
            threading.Thread(target=lambda: results.append(there.install(["tinypack"], True)))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for _ in range(4):
            assert lock.came.acquire(timeout=20)
    for thread in threads:
        thread.join()
    assert results == [False] * 3
    assert attempts == [["tinypack"]]


def test_an_incomplete_folder_is_removed(tmp_path):
    there = Requirements(str(tmp_path))
    folder = os.path.join(os.path.dirname(there.path), "wheels", "fetching-x")
    os.makedirs(folder)
    assert Requirements(str(tmp_path)).dump() == []
    assert not os.path.exists(folder)


# -- travel -----------------------------------------------------------------------------------


def test_export_and_import(tmp_path, index):
    make_wheel(index, needs=["tinyhelp"])
    make_wheel(index, "tinyhelp")
    one, two = (Requirements(str(tmp_path / name)) for name in ("one", "two"))
    assert install(one, "tinypack")
    one.close()
    description, chunks = one.export("tinypack")
    assert entry(description)["Name"] == "tinypack"
    two.import_(chunks)
    assert entry(two.dump()[0])["Wheels"] == entry(description)["Wheels"]
    assert version() == "1.0"
    assert importlib.import_module("tinypack").__file__.startswith(two.path)


def test_export_of_what_was_there(tmp_path, index):
    there = Requirements(str(tmp_path / "home"))
    with pytest.raises(RequirementError, match="^requirement does not exists$"):
        there.export("hiredis")
    assert install(there, "hiredis")
    assert there.waits("hiredis")
    for fetch in (False, True):
        with pytest.raises(RequirementError) as raised:
            there.export("hiredis", fetch)
        assert str(raised.value) == NO_WHEELS
    assert entry(there.dump()[0])["Wheels"] == NO_WHEELS
    make_wheel(index, "hiredis", "1")
    description, (chunk,) = there.export("hiredis")
    assert list(unpack([chunk]).wheels) == entry(description)["Wheels"]
    assert not os.path.exists(there.path)


def test_import_of_what_cannot_be_installed(tmp_path, index):
    wheel = make_wheel(tmp_path)
    unusable = wheel.rename(tmp_path / "tinypack-1.0-cp27-none-any.whl")
    there = Requirements(str(tmp_path / "home"))
    with pytest.raises(RequirementError, match="^Could not satisfy requirements"):
        there.import_(pack("tinypack", [unusable]))
    assert there.dump() == []


# -- commands -----------------------------------------------------------------------------------


SCRIPT = "import tinypack\nGB('ShardsIDReader').map(lambda x: tinypack.version).run()"


def test_commands(worker, index):
    make_wheel(index, version="1")
    for _ in range(2):
        assert worker.run(SCRIPT, "REQUIREMENTS", "tinypack") == ([b"1"], [])
    make_wheel(index, version="2")
    assert worker.run(SCRIPT, "REQUIREMENTS", "tinypack") == ([b"1"], [])
    force = "FORCE_REINSTALL_REQUIREMENTS"
    assert worker.run(SCRIPT, force, "REQUIREMENTS", "tinypack") == ([b"2"], [])
    (dumped,) = worker.call("RG.PYDUMPREQS")
    assert len(dumped) == 18
    description, chunks = worker.call("RG.PYEXPORTREQ", "tinypack")
    assert description == dumped
    assert worker.call("RG.PYIMPORTREQ", *chunks) == b"OK"
    assert worker.call("RG.PYEXPORTREQ", "nosuch") == "requirement does not exists"
    assert worker.call("RG.PYIMPORTREQ", "a", "b").startswith("Failed deserializing requirement")
    script = "GB('ShardsIDReader').map(lambda x: len(execute('RG.PYEXPORTREQ', 'tinypack'))).run()"
    assert worker.run(script) == ([b"2"], [])


def test_from_the_package_index(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "5")
    monkeypatch.setenv("PIP_RETRIES", "1")
    try:
        socket.create_connection(("pypi.org", 443), 3).close()
    except OSError:
        pytest.skip("the package index cannot be reached")
    there = Requirements(str(tmp_path))
    name = "iniconfig==1.1.1"
    if not install(there, name):
        pytest.skip("the package index does not answer")
    assert os.path.exists(os.path.join(there.path, "iniconfig", "__init__.py"))
