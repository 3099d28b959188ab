"""Functions that need Python 3.11."""

from dataclasses import dataclass, field

from shaping import collector

SHAPES, NEEDS, shape = collector()


@shape(3, 11)
def groups_of_exceptions(x):
    try:
        raise ExceptionGroup("some", [ValueError(x), TypeError(x)])
    except* ValueError as group:
        return_value = len(group.exceptions)
    except* TypeError:
        pass
    return return_value


class Indexed:
    def __getitem__(self, index):
        return index


@shape(3, 11)
def starred_subscript(x):
    more = (1, 2)
    return Indexed()[x, *more]


class Names(list):
    __hash__ = object.__hash__


@dataclass(slots=True)
class Crew:
    ship: str
    names: Names = Names("ab")
    size: int = field(default=2, init=False)
    rest: Names = field(default=Names("c"), init=False)


@shape(3, 7)
def defaults_that_older_versions_call_mutable(x):
    crew = Crew("s")
    return [
        crew.names,
        Crew("t", Names([x])).names,
        crew.size,
        crew.rest,
        hasattr(crew, "__dict__"),
    ]
