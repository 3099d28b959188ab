"""Code objects keep the name of their file."""

import sys
import types

import pytest

cloudpickle = pytest.importorskip("cloudpickle")

if sys.version_info < (3, 8):
    pytest.skip("no cloudpickle for this Python leaves it out", allow_module_level=True)

from redgrease.codes import with_file  # noqa: E402

reduce_code = with_file(cloudpickle.CloudPickler.dispatch_table[types.CodeType])


def outer():
    def inner(x):
        return x // 0

    return inner


def test_a_code_object_is_the_same_again():
    code = outer.__code__
    make, arguments = reduce_code(code)
    assert make(*arguments) == code
    assert make(*arguments).co_filename == __file__
    assert make(*arguments).co_firstlineno == code.co_firstlineno


def test_each_file_has_its_own_name():
    here, there = (compile("lambda x: x", name, "eval") for name in ("here.py", "there.py"))
    names = [make(*args).co_filename for make, args in map(reduce_code, (here, there))]
    assert names == ["here.py", "there.py"]


def test_texts_of_the_code_stay_what_they_are():
    code = compile("f = lambda: '<dynamic-code>'", "here.py", "exec")
    make, arguments = reduce_code(code)
    namespace = {}
    exec(make(*arguments), namespace)
    assert namespace["f"]() == "<dynamic-code>"


def test_functions_that_are_sent_keep_it():
    from redgrease.shipping import loader, pickler

    function = loader.Unpickler(pickler.dumps(outer).data, {}).load()
    assert function.__code__.co_filename == __file__
    assert function().__code__.co_filename == __file__
