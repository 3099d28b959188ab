"""The package as a whole: what it exports, and what importing it costs."""

import subprocess
import sys

import pytest

import redgrease


def python(code, *flags):
    """Run code in a fresh interpreter; returns what it prints."""
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        stdout=subprocess.PIPE,
        check=True,
        universal_newlines=True,
    ).stdout.strip()


@pytest.mark.parametrize("name", redgrease.__all__)
def test_every_public_name_is_there(name):
    if name in ("Gears", "cmd") or name.startswith("Redis"):
        pytest.importorskip("redis")
    assert getattr(redgrease, name) is not None


def test_all_is_sorted_and_in_dir():
    assert sorted(redgrease.__all__) == sorted(set(redgrease.__all__))
    assert set(redgrease.__all__) <= set(dir(redgrease))


def test_everything_is_imported_at_once():
    names = {}
    exec("from redgrease import *", names)
    assert set(redgrease.__all__) <= set(names) and names["utils"] is redgrease.utils


def test_the_words_of_the_server_are_all_there():
    from redgrease import runtime

    words = set(runtime.__all__) - {"in_server", "run"}
    assert {name for name in words if getattr(redgrease, name) is getattr(runtime, name)} == words


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        redgrease.no_such_name  # noqa: B018


def test_importing_loads_no_third_party_package():
    loaded = python(
        "import sys, redgrease; print(sorted({n.partition('.')[0] for n in sys.modules}))"
    )
    assert not {"redis", "attr", "attrs", "cloudpickle", "packaging", "click"} & set(eval(loaded))


@pytest.fixture
def bare(tmp_path):
    """Runs code with what a bare ``pip install redgrease`` has: nothing beside redgrease."""
    (tmp_path / "redgrease").symlink_to(redgrease.__path__[0])
    start = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import redgrease; "
    # These flags leave no way to site-packages.
    return lambda code: python(start + code, "-I", "-S")


def test_building_works_with_the_standard_library_alone(bare):
    code = "print(redgrease.KeysReader('a*').values().map(int).count().run())"
    assert bare(code) == "KeysReader('a*').values().map(int).count().run()"


def test_what_needs_a_package_says_which_extra_brings_it(bare):
    code = "\ntry: redgrease.RedisGears\nexcept ModuleNotFoundError as error: print(error)"
    assert "pip install redgrease[client]" in bare(code)


def test_importing_all_gives_what_works_without_packages(bare):
    code = "\nfrom redgrease import *\nprint(KeysReader.__name__, 'RedisGears' in dir(), 'cmd' in dir())"
    assert bare(code) == "KeysReader False False"


def test_importing_all_brings_the_utilities():
    names = {}
    exec("from redgrease import *", names)
    assert names["utils"] is redgrease.utils
