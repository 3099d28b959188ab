"""Functions in every place and with every way of writing them."""

import contextlib
import functools
import inspect
import math
import operator

SHAPES = {}
NEEDS = {}


def shape(function):
    SHAPES[function.__name__] = function
    return function


# -- lambdas

first, second, third = lambda x: x + 1, lambda x: x + 2, lambda x: x + 3
SHAPES["lambda_second_on_a_line"] = second
SHAPES["lambda_third_on_a_line"] = third
# fmt: off
SHAPES["lambda_over_lines"] = lambda x: [
    x,
    x * 2,
    # a comment
    (lambda y: y + x)(3),
]
SHAPES["lambda_behind_a_backslash"] = \
    lambda x: \
    x + 1
SHAPES.update({"lambda_in_a_dict": lambda x: x - 1, "lambda_in_a_dict_too": lambda x: x - 2})
for _number in range(2): SHAPES["lambda_in_a_loop_%d" % _number] = lambda x, n=_number: x + n  # noqa: E701
if True: SHAPES["lambda_behind_a_colon"] = lambda x: x * 9; SHAPES["lambda_behind_a_semicolon"] = lambda x: x * 8  # noqa: E701, E702
# fmt: on
SHAPES["lambda_in_a_lambda"] = (lambda n: lambda x: x * n)(5)
SHAPES["lambda_as_default"] = lambda x, f=lambda y: y * 7: f(x)
SHAPES["lambda_of_a_comprehension"] = [lambda x, n=n: x * n for n in range(4)][3]
SHAPES["lambda_in_a_condition"] = (lambda x: "yes") if math.pi > 3 else (lambda x: "no")
SHAPES["lambda_with_stars"] = lambda *args, **kwargs: [len(args), kwargs]
SHAPES["lambda_keyword_only"] = lambda x, *, factor=4: x * factor
SHAPES["lambda_yields"] = lambda x: list((lambda: (yield x))())
SHAPES["same_lambdas"] = [lambda x: x, lambda x: x][1]
SHAPES["lambda_in_a_call"] = functools.reduce(
    lambda f, g: lambda x: f(g(x)), [lambda x: x + 1, lambda x: x * 10, lambda x: x - 2]
)
SHAPES["lambda_in_a_text"] = lambda x: f"{(lambda y: y + 1)(x)!r:>4}"
SHAPES["lambda_with_unicode"] = lambda größe: f"ä{größe}€"


# -- what is callable and no function

SHAPES["builtin"] = str
SHAPES["builtin_function"] = hex
SHAPES["method_of_a_builtin"] = "value {}".format
SHAPES["unbound_method"] = int.bit_length
SHAPES["operator"] = functools.partial(operator.mul, 3)
SHAPES["partial_of_partial"] = functools.partial(functools.partial(lambda a, b, x: [a, b, x], 1), 2)
SHAPES["method_caller"] = operator.methodcaller("bit_length")


class Counter:
    """Counts."""

    step = 2

    def __init__(self, start=0):
        self.count = start

    def add(self, x):
        self.count += x * self.step
        return self.count

    @classmethod
    def stepped(cls, x):
        return cls.step * x

    @staticmethod
    def plain(x):
        return x + 100

    def __call__(self, x):
        return ("called", x)

    add_lambda = lambda self, x: x + self.step  # noqa: E731


SHAPES["bound_method"] = Counter(5).add
SHAPES["class_method"] = Counter.stepped
SHAPES["static_method"] = Counter.plain
SHAPES["callable_instance"] = Counter()
SHAPES["lambda_in_a_class"] = Counter().add_lambda
SHAPES["method_as_function"] = functools.partial(Counter.add, Counter(1))


# -- closures


def shared():
    count = 0

    def increase(x):
        nonlocal count
        count += x
        return count

    def read():
        return count

    return increase, read


increase, read = shared()


@shape
def closures_that_share_a_variable(x):
    before = read()
    increase(x)
    return read() - before


def counting():
    def inner(x, depth=0):
        return depth if depth >= x else inner(x, depth + 1)

    return inner


SHAPES["recursive_closure"] = counting()


def mutual():
    def ping(x):
        return ["ping", *pong(x - 1)] if x > 0 else []

    def pong(x):
        return ["pong", *ping(x - 1)] if x > 0 else []

    return ping


SHAPES["mutually_recursive_closures"] = mutual()


@shape
def closure_in_a_class_in_a_function(x):
    factor = 3

    class Local:
        amount = factor * 2

        def get(self):
            return [factor, self.amount, x, __class__.__name__]

    return Local().get()


total = 0


@shape
def assigned_global(x):
    global total
    total = x
    return total + len([total for _ in range(x)])


# -- decorators


def twice(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return [function(*args, **kwargs)] * 2

    return wrapper


class Remember:
    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function = function
        self.calls = 0

    def __call__(self, *args):
        self.calls += 1
        return self.function(*args)


def tagged(*tags, **words):
    def decorate(function):
        function.tags = tags, words
        return function

    return decorate


@shape
@twice
@twice
def decorated_twice(x):
    """Text."""
    return x


@shape
@tagged(
    "a",
    "b",
    word=lambda x: x,
)
def decorator_over_lines(x):
    return [x, decorator_over_lines.tags[0], decorator_over_lines.tags[1]["word"](3)]


@Remember
def remembered(x):
    return x + 1


SHAPES["decorated_by_a_class"] = remembered
SHAPES["wrapped"] = decorated_twice.__wrapped__


@functools.singledispatch
def kind_of(value):
    return "other"


@kind_of.register(int)
def _(value):
    return "int"


@kind_of.register(str)
def _(value):
    return "str"


@shape
def dispatched(x):
    return [kind_of(x), kind_of("a"), kind_of(1.5)]


@contextlib.contextmanager
def around(log):
    log.append("in")
    try:
        yield log
    finally:
        log.append("out")


@shape
def decorated_context_manager(x):
    log = []
    with around(log) as inner, contextlib.suppress(KeyError):
        inner.append(x)
        {}["nothing"]
    return log


@functools.lru_cache(maxsize=None)
def cached_power(x, *, power=2):
    return x**power


@shape
def cached_with_keywords(x):
    return [cached_power(x), cached_power(x, power=3), cached_power.cache_info().maxsize]


# -- where a function is defined

if math.pi > 4:

    @shape
    def defined_in_a_condition(x):
        return "wrong"

else:

    @shape
    def defined_in_a_condition(x):
        return "right"


try:
    import no_such_module_at_all
except ImportError:

    @shape
    def defined_in_an_exception(x):
        return [x, "except"]


with contextlib.suppress(ValueError):

    @shape
    def defined_in_a_with(x):
        return [x, "with"]


for each in range(3):

    def defined_in_a_loop(x, each=each):
        return [x, each]

    SHAPES["defined_in_loop_%d" % each] = defined_in_a_loop


def defined_again(x):
    return "first"


EARLIER = defined_again


def defined_again(x):  # noqa: F811
    return "second"


@shape
def redefined(x):
    return [EARLIER(x), defined_again(x)]


# fmt: off
def one_line(x): return x + 1  # noqa: E704
def one_line_more(x): y = x; return y * 2  # noqa: E702, E704
SHAPES["function_on_a_line"] = one_line
SHAPES["function_on_a_line_too"] = one_line_more

@shape
def	tabs(x):
	if x:  # noqa: W191
		return "tab"  # noqa: W191
	return	"none"  # noqa: W191

@shape
def long_signature(
    x,
    a=1,  # a comment
    *more,
    b=[2, 3],  # noqa: B006
    **others
):

    # A comment before all.

    return [x, a, more, b, others]
# fmt: on


@shape
def text_over_lines(x):
    text = """a
    b
  c\
"""
    return [text, r"\n", "ab", b"\x00\xff", rf"\{x}"]


def documented(x, a: int = 1, *, b: str = "z") -> int:
    """What it does."""
    return x


documented.extra = {"a": 1}


@shape
def what_a_function_tells_of_itself(x):
    return [
        documented.__name__,
        documented.__qualname__,
        documented.__doc__,
        documented.__defaults__,
        documented.__kwdefaults__,
        documented.extra,
        list(inspect.signature(documented).parameters),
        documented.__code__.co_argcount,
        documented.__module__.rpartition(".")[2],
    ]


# -- what functions do


@shape
def generators(x):
    def inner():
        received = yield 1
        yield received
        return "end"

    def outer():
        result = yield from inner()
        yield result

    running = outer()
    return [next(running), running.send(x), next(running), list(n * n for n in range(x))]


@shape
def asynchronous_kinds(x):
    import asyncio

    class Managed:
        async def __aenter__(self):
            return x

        async def __aexit__(self, *error):
            return True

    async def count():
        for number in range(x):
            await asyncio.sleep(0)
            yield number

    async def main():
        found = []
        async with Managed() as got:
            found.append(got)
            raise ValueError
        async for number in count():
            found.append(number)
        return found + [n async for n in count()]

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


@shape
def exceptions_of_all_kinds(x):
    log = []
    for number in range(3):
        try:
            if number == 0:
                raise ValueError("a") from KeyError("b")
            elif number == 1:
                {}[x]
            else:
                log.append("fine")
        except ValueError as error:
            log.append([str(error), error.__cause__.args])
        except (KeyError, IndexError):
            log.append("key")
        else:
            log.append("else")
        finally:
            log.append("finally")
    return log


@shape
def unpacking(x):
    head, *middle, tail = range(x, x + 5)
    (a, b), c = (1, 2), 3
    merged = {**{"a": a}, "b": [*middle, b], "c": c}
    return [head, tail, merged, *"xy", [i for i, (j, k) in enumerate([(1, 2)]) if j < k]]


@shape
def nested_comprehensions(x):
    offset = 2
    return [
        {a + offset: [b * offset for b in range(a) if b != offset] for a in range(x)},
        sorted({c % 3 for c in range(x)}),
        [(lambda: d + offset)() for d in range(2)],
    ]


@shape
def slices_and_subscripts(x):
    values = list(range(10))
    values[2:4] = [x]
    del values[0]
    return [values[::2], values[-1], values[1:3], {(1, 2): "pair"}[1, 2], values[slice(1, 2)]]


@shape
def chained_comparisons(x):
    return [0 <= x < 3, not x == 1, x is not None, x in (1, 2), x if x else -x, x and 5 or 6]


@shape
def loops_with_else(x):
    found = []
    for i in range(5):
        if i == x:
            break
        found.append(i)
    else:
        found.append("no break")
    while found:
        if len(found) < 3:
            break
        found.pop()
    else:
        found.append("empty")
    assert isinstance(found, list), "a list"
    return found


@shape
def names_of_all_kinds(x):
    __private = 1
    _ = 2
    größe = 3
    ﬁ = 4  # the name is written "fi" after normalization
    return [__private, _, größe, ﬁ, x, sorted(locals())]


@shape
def conversion_in_texts(x):
    width = 6
    return [f"{x:{width}}|{x!s:>{width}}|{{}}|{x:,}|{'ab'}", "%(a)s" % {"a": x}, f"{x=}"]
