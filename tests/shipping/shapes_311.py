"""Functions that need Python 3.11."""

SHAPES = {}
NEEDS = {}


def shape(*version):
    def added(function):
        SHAPES[function.__name__] = function
        NEEDS[function.__name__] = version
        return function

    return added


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
