"""A module that makes attributes when they are asked for."""

MADE = {"half": lambda value: value / 2}


def __getattr__(name):
    if name in MADE:
        return MADE[name]
    raise AttributeError(name)
