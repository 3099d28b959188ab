"""Finding the source of functions, for servers of other versions."""

import ast
import functools
import linecache
import os
import subprocess
import sys
import threading
import types
import warnings

import pytest

import redgrease
from redgrease.exceptions import NotShippableError, PythonVersionMismatch

if sys.version_info < (3, 8):
    pytest.skip("functions travel as source from Python 3.8 on", allow_module_level=True)

from redgrease.shipping.source import source_of  # noqa: E402
from redgrease.shipping.trees import compile_tree  # noqa: E402

OTHER = (3, 8) if sys.version_info[:2] != (3, 8) else (3, 9)


def again(function):
    """The function as it would be made elsewhere."""
    code = compile_tree(*source_of(function, OTHER))
    made = types.FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


# -- what is found

double, square = lambda x: x * 2, lambda x: x**2
LAMBDAS = [lambda x: x + 1, lambda x: x + 2, [lambda x: x + 3]]


def with_lambdas(x, one=lambda x: x - 1, *, other=lambda x: x - 2):
    return [one(x), other(x)]


def adders(n):
    return [lambda x: x + n, lambda x: n - x], (lambda x, n=n: (lambda: x * n)())


class Counter:
    start = 5

    def __init__(self):
        self.__hidden = self.start

    def __private(self):
        return self.__hidden

    def public(self):
        return self.__private()

    later = lambda self: self.__hidden + 1

    @staticmethod
    def made():
        return Counter()

    class Inner:
        def __mangled(self):
            return "inner"

        def call(self):
            return self.__mangled()


class Child(Counter):
    def public(self):
        return [super().public(), __class__.__name__, [super(Child, self).public() for _ in "a"]]


def local_class(x):
    class Local:
        def call(self):
            return [Local.__name__, x]

    return Local


def test_lambdas_of_one_line():
    assert again(double)(5) == 10 and again(square)(5) == 25
    assert [again(each)(1) for each in (*LAMBDAS[:2], *LAMBDAS[2])] == [2, 3, 4]
    one, other = with_lambdas.__defaults__[0], with_lambdas.__kwdefaults__["other"]
    assert [again(one)(1), again(other)(1)] == [0, -1]
    (add, take), multiply = adders(10)
    assert [again(add)(1), again(take)(1), again(multiply)(3)] == [11, 9, 30]


def test_functions_with_functions():
    assert again(with_lambdas)(5) == [4, 3]
    (add, _), _ = again(adders)(1)
    assert add(1) == 2


def test_methods():
    counter = Counter()
    assert again(Counter.public)(counter) == 5
    assert again(Counter.later)(counter) == 6
    assert again(Counter._Counter__private)(counter) == 5
    assert type(again(Counter.made)()) is Counter
    assert again(Counter.Inner.call)(Counter.Inner()) == "inner"
    assert again(Child.public)(Child()) == [5, "Child", [5]]
    local = local_class(1)
    assert again(local.call)(local()) == ["Local", 1]


def test_recursion_by_a_closure():
    def countdown(x):
        return [] if x == 0 else [x, *countdown(x - 1)]

    assert again(countdown)(3) == [3, 2, 1]


def test_annotations_of_inner_functions():
    kind = int

    def outer(x):
        def inner(y: "kind") -> kind:
            return y

        def other(y: adders(kind)) -> None:  # would be evaluated
            return inner.__annotations__["return"], y

        value: adders(0)[5] = other(x)
        return value

    assert again(outer)(1) == (int, 1)


def test_single_dispatch_by_annotations():
    def outer(x):
        @functools.singledispatch
        def name(value):
            return "any"

        @name.register
        def _(value: int):
            return "int"

        return name(x)

    assert again(outer)(1) == "int"


def test_pytest_has_rewritten_assertions():
    def checked(x):
        assert x > 0, "too small"
        return x

    made = again(checked)
    assert made(1) == 1
    with pytest.raises(AssertionError, match="too small"):
        made(0)


def test_docstrings_and_generators():
    def outer(x):
        def inner():
            """Says something."""
            yield x

        return inner.__doc__, list(inner())

    assert again(outer)(1) == ("Says something.", [1])


def test_super_outside_of_a_class():
    def method(self):
        try:
            return super().public()
        except RuntimeError:
            return "no cell"

    assert again(method)(None) == "no cell"


def test_notebooks():
    text = "f = lambda x: [x, 'cell']\ng = lambda x: x\n"
    linecache.cache["<ipython-input-1>"] = (len(text), None, text.splitlines(True), "<cell>")
    names = {"__name__": "__main__"}
    exec(compile(text, "<ipython-input-1>", "exec"), names)
    assert again(names["f"])(1) == [1, "cell"]


def test_lines_are_kept():
    def fail(x):
        a = 1
        return a / x

    with pytest.raises(ZeroDivisionError) as caught:
        again(fail)(0)
    entry = caught.traceback[-1]
    assert entry.frame.code.raw.co_filename == __file__
    assert entry.lineno == fail.__code__.co_firstlineno + 1  # counted from 0


# -- what is refused


def refused(function, version="3.7"):
    with pytest.raises(NotShippableError) as caught:
        redgrease.PythonReader().map(function).check(version)
    return str(caught.value)


def module(tmp_path, text):
    path = tmp_path / "usermodule.py"
    path.write_text(text)
    names = {"__name__": "__main__"}
    exec(compile(text, str(path), "exec"), names)
    return path, names["f"]


@pytest.mark.parametrize("there", ["", "import sys\n", "def f(x):\n    return 2\n", "def f(:"])
def test_no_source(monkeypatch, there):
    """Whatever Python keeps as the text of all that it was given as texts."""
    lines = there.splitlines(True)
    monkeypatch.setitem(linecache.cache, "<string>", (len(there), None, lines, "<string>"))
    names = {}
    exec("def f(x):\n    return x", names)
    text = refused(names["f"])
    assert "the function f (<string>:1) cannot be sent to Python 3.7" in text
    assert "define it in a file or a notebook" in text


@pytest.mark.parametrize(
    "edited", ["def f(x):\n    return -x\n", "\n\ndef f(x):\n    return x\n", "def f(:\n"]
)
def test_an_edited_file(tmp_path, edited):
    path, function = module(tmp_path, "def f(x):\n    return x\n")
    path.write_text(edited)
    text = refused(function, OTHER)
    assert f"({path}:1)" in text and f"{path} has changed since it was loaded" in text


def test_an_edit_after_the_first_use_does_not_matter(tmp_path):
    path, function = module(tmp_path, "def f(x):\n    return x + 1\n")
    assert again(function)(1) == 2
    path.write_text("def f(x):\n    return x - 1\n")
    assert again(function)(1) == 2


def test_a_function_of_too_many_levels(tmp_path):
    branches = "".join(f"    elif x == {number}: return 1\n" for number in range(400))
    path, function = module(tmp_path, f"def f(x):\n    if not x: return 0\n{branches}")
    text = refused(function, OTHER)
    assert f"the function f ({path}:1) cannot be sent" in text
    assert text.endswith("it is nested too deeply to be taken apart")


def test_a_file_that_is_gone(tmp_path):
    path, function = module(tmp_path, "def f(x):\n    return x\n")
    path.unlink()
    assert f"there is nothing to read in {path}" in refused(function, OTHER)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (
            "def f(x):\n    return (y := x)\n",
            2,
            "an assignment expression (:=) came with Python 3.8",
        ),
        ("def f(x):\n    import zoneinfo\n", 2, "the module zoneinfo came with Python 3.9"),
        ("def f(x):\n    from dataclasses import field\n", None, None),
        ("def f(x):\n    try:\n        import tomllib\n    except ImportError: pass\n", None, None),
        (
            "def f(x):\n    while x:\n        try: pass\n        finally: continue\n",
            4,
            "continue in a finally block came with Python 3.8",
        ),
        (
            "def f(x, /, **more):\n    pass\n",
            1,
            "a positional-only parameter beside ** came with Python 3.8",
        ),
        ("def f(x, /):\n    pass\n", None, None),
    ],
)
def test_what_the_server_does_not_know(tmp_path, text, line, words):
    path, function = module(tmp_path, text)
    if words is None:
        redgrease.PythonReader().map(function).check("3.7")
    else:
        assert refused(function).endswith(f"line {line}: {words}")
        assert f"the function f ({path}:1) cannot be sent to Python 3.7" in refused(function)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="this version does not know it either")
def test_asynchronous_comprehensions(tmp_path):
    _, function = module(tmp_path, "async def f(x):\n    [[y async for y in x] for _ in x]\n")
    assert refused(function, "3.10").endswith(
        "line 2: an asynchronous comprehension in another came with Python 3.11"
    )


def test_modules_that_are_not_there():
    import dataclasses

    text = refused(lambda x: dataclasses.asdict(x), "3.6")
    assert "Python 3.6: the module dataclasses came with Python 3.7" in text
    assert "the module dataclasses came" in refused(dataclasses.asdict, "3.6")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        crypt = pytest.importorskip("crypt") if sys.version_info < (3, 13) else None
    if crypt is not None:
        assert "gone since Python 3.13" in refused(lambda x: crypt.crypt, "3.13")


def test_versions_that_are_too_old():
    function = redgrease.PythonReader().map(lambda x: x)
    with pytest.raises(PythonVersionMismatch, match="Python 3.5"):
        function.check("3.5")
    for version in ("three", "3", 3, None, ""):
        with pytest.raises(ValueError, match="no version of Python"):
            function.check(version)


@pytest.mark.parametrize("version", ["3.7", (3, 7), "3.13.1", sys.version_info])
def test_checking_every_kind(version):
    redgrease.KeysReader().map(lambda record: record["key"]).check(version)
    redgrease.KeysReader().register("*").check(version)
    redgrease.CommandReader().check(version)
    redgrease.command("double")(double).check(version)


def test_a_check_says_why_a_value_cannot_travel():
    lock = threading.Lock()
    assert "its variable 'lock', a value of type _thread.lock" in refused(lambda x: lock)


def test_a_file_with_warnings_where_these_are_errors(tmp_path, monkeypatch):
    (tmp_path / "with_warnings.py").write_text(
        'PATTERN = "\\d"\n\n\ndef function(x):\n    return x is 5 or "\\w"\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import with_warnings
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filters = list(warnings.filters)
        source = source_of(with_warnings.function, OTHER)
        assert warnings.filters == filters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert compile_tree(*source).co_consts == with_warnings.function.__code__.co_consts


ASSERTING = '''
import sys
from redgrease.shipping.source import source_of

def function(x, kind=1):
    seen = [__debug__, "debugging" if __debug__ else "optimized"]
    def generator():
        assert (yield x)
    def inner():
        """A text."""
        assert kind, seen.append("asserted")
        return seen, kind
    class Local:
        """Another."""
        assert seen.append("asserted")
    assert seen.append("asserted")
    return list(inner()), list(generator()), inner.__doc__, Local.__doc__

print(repr((function(5), tuple(source_of(function, (3, int(sys.argv[1]))))[:4])))
'''


@pytest.mark.parametrize("option", ["-O", "-OO"])
def test_assertions_stay_out_where_they_are_off(tmp_path, option):
    path = tmp_path / "asserting.py"
    path.write_text(ASSERTING)
    folders = [folder for folder in sys.path if folder]
    done = subprocess.run(
        [sys.executable, option, str(path), str(OTHER[1])],
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(folders)),
        check=True,
    )
    here, source = ast.literal_eval(done.stdout.decode())
    function = types.FunctionType(compile_tree(*source), globals(), "function", (1,))
    assert function(5) == here
    assert here[:2] == ([[False, "optimized"], 1], [])


def test_an_error_of_python_itself_is_tried_again():
    from redgrease.shipping.source import forgiving

    failures = [SystemError("AST constructor recursion depth mismatch")] * 3

    def make(text):
        if failures:
            raise failures.pop()
        return text

    assert forgiving(make, "x") == "x"
    failures += [SystemError()] * 1000
    with pytest.raises(SystemError):
        forgiving(make, "x")
