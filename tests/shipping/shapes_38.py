"""Functions that need Python 3.8, or 3.9 where that is a matter of the library."""

import socket

from shaping import collector

SHAPES, NEEDS, shape = collector()


@shape(3, 8)
def assignment_expression(x):
    return [y := x + 1, y * 2]


@shape(3, 6)
def positional_only(x, /, y=2, *, z=3):
    def inner(a, b, /):
        return a - b

    return [x, y, z, inner(5, 3)]


@shape(3, 8)
def positional_only_beside_any(x, /):
    def inner(x, /, **more):
        return [x, more]

    return inner(x, x=1)


@shape(3, 6)
def debugging_text(x):
    return f"{x=} {x!r:>5} {'a' + 'b'} {x:{x + 3}d}"


@shape(3, 6)
def stars_in_a_returned_tuple(x):
    more = [x, 2]
    return 1, *more


@shape(3, 8)
def continue_in_finally(x):
    seen = []
    for item in range(x):
        try:
            seen.append(item)
        finally:
            continue
    return seen


@shape(3, 6)
def loop_in_finally(x):
    seen = []
    try:
        pass
    finally:
        for item in range(x):
            if item % 2:
                continue
            seen.append(item)
    return seen


ERRORS = (socket.timeout, KeyError)


@shape(3, 6)
def a_timeout_in_a_tuple(x):
    one, other = socket.socketpair()
    one.settimeout(0.001)
    try:
        one.recv(1)
    except ERRORS:
        return x
    finally:
        one.close()
        other.close()
