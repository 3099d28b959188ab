"""Functions that need Python 3.12."""

from shaping import collector

SHAPES, NEEDS, shape = collector()


@shape(3, 6)
def type_parameters[T](x: T) -> list[T]:
    return [x]


@shape(3, 12)
def type_statement(x):
    type Pair = tuple[int, int]
    return Pair.__name__


@shape(3, 12)
def inner_type_parameters(x):
    def inner[T](y: T) -> T:
        return y

    return inner(x)


class Stack[T]:
    def __init__(self, *items: T) -> None:
        self.items = items


@shape(3, 6)
def generic_class_of_3_12(x):
    return Stack(x, 1).items


@shape(3, 6)
def quotes_in_a_text(x):
    table = {"a": x}
    return f"{table['a']} {'\n'.join(['a', 'b'])}"


class Base:
    def names(self):
        return ["base"]


class Child(Base):
    def names(self):
        return [name for _ in range(2) for name in super().names()]


@shape(3, 12)
def super_in_a_comprehension(x):
    return Child().names()


@shape(3, 6)
def super_before_a_comprehension(x):
    return Outside().names()


class Outside(Base):
    def names(self):
        return [name for name in super().names()]
