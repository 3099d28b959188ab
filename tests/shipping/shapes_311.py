"""Functions that need Python 3.11."""

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
