"""Collects the shapes of a module."""


def collector():
    """What a module collects its shapes with.

    Returns:
        The shapes by name; the version of Python that each needs, as far as it is not 3.6; and the
        decorator that adds one, which is given the version.
    """
    shapes, needs = {}, {}

    def shape(*version):
        def added(function):
            shapes[function.__name__] = function
            if version:
                needs[function.__name__] = version
            return function

        return added

    return shapes, needs, shape
