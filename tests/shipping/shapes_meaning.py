"""Functions whose code older versions read, but take otherwise."""

import asyncio
import functools
import types

import usercode
from shaping import collector
from usercode import lazy

SHAPES, NEEDS, shape = collector()


@shape()
def order_in_a_dict_comprehension(x):
    words = iter("a 1 b 2".split())
    first = {next(words): int(next(words)) for _ in range(2)}
    ids = {}
    second = {ids.setdefault(word, len(ids)): len(ids) for word in "aba"}
    stack = [x, 1, 2, 3]
    third = {stack.pop(): (stack.pop(), {stack.pop(): stack.pop() for _ in "a"}) for _ in "a"}
    return [first, second, third]


total = 0


def add(amount):
    global total
    total += amount
    return total


@shape()
def order_in_a_dict_comprehension_that_changes_a_variable(x):
    add(-total)
    first = {add(each): total for each in range(x) for other in "ab" if each}
    word = "n"

    def renamed(each):
        nonlocal word
        word = "n%d" % each
        return each

    return [first, {renamed(each): word for each in range(2)}]


class Words:
    names = iter("abcd")
    pairs = list({next(names): next(names) for names in [names] for _ in range(2)}.items())

    def __init__(self, x):
        self.__x = x

    def found(self):
        def error():
            raise ValueError

        try:
            return {[].append: error() for _ in "a"}
        except ValueError:
            return {str(__class__.__name__): abs(self.__x) for _ in "a"}


@shape()
def dict_comprehensions_in_a_class(x):
    return [Words(x).found(), Words.pairs]


@shape()
def an_asynchronous_dict_comprehension(x):
    async def words():
        yield "a"
        yield "b"

    async def main():
        return {str(word): len(word) + x async for word in words()}

    try:
        main().send(None)
    except StopIteration as end:
        return end.value


@shape()
def constants_that_are_no_number(x):
    none, complex_none = 1e999 - 1e999, (1e999 - 1e999) * 1j
    return [str(none), complex_none != complex_none, str(-(1e999 - 1e999 + x)), x]


def make_waiting(first):
    @types.coroutine
    def waiting(x):
        received = yield first
        return [received, x]

    return waiting


@types.coroutine
def switch():
    yield


waiting = make_waiting("first")


@shape()
def generators_that_can_be_awaited(x):
    async def main():
        await switch()
        return await waiting(x)

    made = main()
    seen = [made.send(None), made.send(None)]
    try:
        made.send("sent")
    except StopIteration as end:
        return [*seen, end.value]


@types.coroutine
def coroutine_that_generates_nothing(x):
    return switch_again(x)


def switch_again(x):
    async def inner():
        return x

    return inner()


@shape()
def functions_that_return_what_can_be_awaited(x):
    async def main():
        return await coroutine_that_generates_nothing(x)

    try:
        main().send(None)
    except StopIteration as end:
        return end.value


@shape(3, 7)
def an_attribute_that_a_module_makes(x):
    try:
        lazy.quarter
    except AttributeError as error:
        return [str(error), lazy.half(x), usercode.lazy.half(x)]


# -- timeouts of asyncio, which the file knows by no other name


RETRIED = {"errors": [(asyncio.TimeoutError, ConnectionError)]}


def is_caught(kinds):
    async def main():
        await asyncio.wait_for(asyncio.sleep(5), 0.001)

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    except kinds:
        return True
    finally:
        loop.close()


def retrying(*kinds):
    def decorated(function):
        @functools.wraps(function)
        def wrapped(x):
            try:
                return function(x)
            except kinds:
                return "timed out"

        return wrapped

    return decorated


@shape()
@retrying(KeyError, asyncio.TimeoutError)
def a_timeout_of_a_decorator(x):
    return is_caught(KeyError)


class Waiting:
    kinds = (asyncio.TimeoutError,)
    kind = asyncio.TimeoutError


class OwnTimeout(asyncio.TimeoutError):
    pass


@shape()
def timeouts_inside_other_things(x, kinds=(OSError, asyncio.TimeoutError)):
    try:
        raise OwnTimeout(x)
    except asyncio.TimeoutError as error:
        own = error.args
    return [
        *(is_caught(RETRIED["errors"][0]), is_caught(kinds), is_caught(Waiting.kinds)),
        *(is_caught(Waiting.kind), own),
    ]
