"""Classes that do something when subclasses of them are made."""

import abc
import contextlib
import enum
import typing

from shaping import collector

SHAPES, NEEDS, shape = collector()


class Plugin:
    known: typing.Dict[str, type] = {}

    def __init_subclass__(cls, *, name, **keywords):
        super().__init_subclass__(**keywords)
        assert name not in Plugin.known
        Plugin.known[name] = cls
        cls.label = name


class Adder(Plugin, name="add"):
    def __call__(self, x):
        return x + 1


class Doubler(Adder, name="double"):
    def __call__(self, x):
        return super().__call__(x) * 2


@shape()
def classes_that_register(x):
    class Late(Plugin, name="late"):
        pass

    names = sorted(Plugin.known)
    found = [Plugin.known.pop("late") is Late, Late.label, Plugin.known["add"] is Adder]
    return [*names, *found, Plugin.known["double"]()(x), Doubler.label]


@shape()
def a_class_reached_through_what_it_is_registered_in(x):
    return Plugin.known["double"]()(x)


class Handler(abc.ABC):
    handlers: typing.List[typing.Any] = []

    def __init_subclass__(cls, kind=None, **keywords):
        super().__init_subclass__(**keywords)
        cls.handlers.append(cls.handle())  # called before the class is complete elsewhere

    @classmethod
    @abc.abstractmethod
    def handle(cls):
        """What it handles."""

    @classmethod
    def register(cls, name):
        return [cls.__name__, name]


class Whole(Handler, kind=int):
    @classmethod
    def handle(cls):
        return "whole"


class Nothing:
    pass


abc.ABCMeta.register(Handler, Nothing)


@shape()
def abstract_classes_that_register(x):
    return [
        Handler.handlers,
        Whole.register(x),
        isinstance(Nothing(), Handler),
        Whole().handle(),
    ]


class Table(type):
    made: typing.Dict[str, type] = {}

    @classmethod
    def __prepare__(mcs, name, bases, **keywords):
        return {"prepared": True}

    def __new__(mcs, name, bases, names, *, suffix):
        made = super().__new__(mcs, name, bases, dict(names, **{names["key"] + suffix: 1}))
        mcs.made[names["key"]] = made
        return made

    def __init__(cls, name, bases, names, *, suffix):
        super().__init__(name, bases, names)
        cls.complete = names["key"] + suffix

    def __setattr__(cls, name, value):
        if hasattr(cls, "complete"):
            raise AttributeError("%s.%s is constant" % (cls.__name__, name))
        super().__setattr__(name, value)

    def __len__(cls):
        return len(cls.key)


class Users(metaclass=Table, suffix="_id"):
    key = "user"

    def get(self, x):
        return [self.key, x, self.user_id, __class__.prepared]


@shape()
def a_metaclass_that_looks_at_the_body(x):
    try:
        Users.key = "other"
    except AttributeError as error:
        message = str(error)
    return [Table.made["user"] is Users, Users().get(x), Users.complete, len(Users), message]


class Tables(Table, abc.ABCMeta):
    __setattr__ = type.__setattr__  # before Python 3.7, `isinstance` sets attributes

    def __call__(cls, *arguments):
        return [super().__call__(), *arguments]


class Orders(metaclass=Tables, suffix="s"):
    key = "order"

    def __repr__(self):
        return self.key


Orders.register(int)


@shape()
def a_metaclass_of_abstract_classes(x):
    return [repr(Orders(x)), isinstance(x, Orders), isinstance("", Orders)]


class Level(enum.Enum):
    def __init_subclass__(cls, unit="m", **keywords):
        super().__init_subclass__(**keywords)
        cls.unit = unit + cls.kind

    @classmethod
    def of(cls, x):
        return [cls(x % 2).name, cls.__name__]


Level.kind = "s"


class Depth(Level):
    LOW = 0
    HIGH = 1


@shape()
def an_enumeration_whose_base_has_a_hook(x):
    return [Depth.of(x), Depth.unit]


TIMES = []


@contextlib.contextmanager
def noted(name, *, more=""):
    TIMES.append(name + more)
    yield
    TIMES.append("end")


class Noting:
    @noted("method")
    def go(self, x):
        return [x, *TIMES]


@noted("function", more="!")
def noting(x):
    return x


@shape()
def context_managers_as_decorators(x):
    del TIMES[:]
    return [Noting().go(x), noting(x), Noting().go(x), list(TIMES)]
