"""Starts a function on the server: its steps, loaded and given to the server's own builder.

The text of this file is sent after that of :mod:`.loader`, whose names it uses.  So it uses nothing
else but the standard library, of Python 3.6 and later.
"""

import sys
import types
import typing
from typing import Any, Dict, List, Tuple

if typing.TYPE_CHECKING:  # it stands in the same text
    from redgrease.shipping.loader import Unpickler

Step = Tuple[str, Tuple[Any, ...], Dict[str, Any]]


def functions_of(steps: List[Step]) -> List[Any]:
    """All functions in steps, in a fixed order."""
    values = [
        value for _, args, kwargs in steps for value in (*args, *map(kwargs.get, sorted(kwargs)))
    ]
    return [value for value in values if type(value) is types.FunctionType]


def load(plan: bytes) -> List[Any]:
    """Load the functions of a plan once more, where the script that brought it is gone."""
    names: Dict[str, Any] = {}
    for module in ("__main__", "redisgears"):
        names.update(vars(sys.modules[module]))
    return functions_of(Unpickler(plan, names).load())


# How many plans of runs a server keeps in memory; what is called after that is loaded again.
RECENT = 64


def deferred(plan: bytes, steps: List[Step]) -> List[Step]:
    """Put functions that can be pickled by anybody in the place of those of the steps.

    Servers pickle functions again, with a cloudpickle of their own that fails on enumerations and
    data classes, and forgets defaults of keyword-only arguments.  So they get functions which know
    only the plan, and load it when it is not there: after a restart, or on other shards.
    """
    import os

    token = os.urandom(8).hex()
    functions = functions_of(steps)
    # Registrations stay, runs pass.
    limit = 0 if steps[-1][0] == "register" else RECENT
    kept = "_redgrease_runs" if limit else "_redgrease_plans"
    plans = vars(sys.modules["redisgears"]).setdefault(kept, {})
    for old in list(plans)[: 1 - limit] if limit else []:
        plans.pop(old, None)
    plans[token] = functions
    source, key = globals().get("SOURCE", b""), globals().get("KEY", "")

    def standing_for(value: Any) -> Any:
        if type(value) is not types.FunctionType:
            return value
        place = next(number for number, each in enumerate(functions) if each is value)

        def called(*args):  # type: ignore # no hints: they would be sent as well
            import sys
            import zlib

            server = vars(sys.modules["redisgears"])
            plans = server.setdefault(kept, {})
            loaded = plans.get(token)
            if loaded is None:
                loaders = server.setdefault("_redgrease_loaders", {})
                if key not in loaders:
                    loader = {"__name__": "redgrease_loader", "SOURCE": source, "KEY": key}
                    exec(zlib.decompress(source).decode("utf-8"), loader)
                    loaders.setdefault(key, loader)
                loaded = plans.setdefault(token, loaders[key]["load"](plan))
                for old in list(plans)[:-limit] if limit else []:
                    plans.pop(old, None)
            return loaded[place](*args)

        called.__name__ = value.__name__
        called.__qualname__ = value.__name__
        return called

    return [
        (
            name,
            tuple(map(standing_for, args)),
            {each: standing_for(kwargs[each]) for each in kwargs},
        )
        for name, args, kwargs in steps
    ]


def shared(scope: Dict[str, Any]) -> bool:
    """Whether a run goes to several shards, so that the server pickles its functions again.

    Only servers on an old Python do; those of redgrease need a newer one, and keep a run to
    themselves.
    """
    if sys.version_info >= (3, 10) or "execute" not in scope:
        return False
    try:
        reply = scope["execute"]("RG.INFOCLUSTER")
        return isinstance(reply, list) and len(reply[4]) > 1
    except Exception:  # a server that does not say is taken for a single one
        return False


def start(plan: bytes, scope: Dict[str, Any]) -> Any:
    """Build a function from its steps, with the server's own builder, and run or register it.

    Args:
        plan: The pickled steps.
        scope: The global names of the script.

    Returns:
        What the last step returns.
    """
    steps: List[Step] = Unpickler(plan, scope).load()
    if steps[-1][0] == "register" or shared(scope):
        steps = deferred(plan, steps)
    built = scope["GearsBuilder"](*steps[0][1], **steps[0][2])
    for name, args, kwargs in steps[1:]:
        built = getattr(built, name)(*args, **kwargs)
    return built
