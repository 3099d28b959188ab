"""What the standard library of a version of Python does not have, or has elsewhere."""

import _collections_abc
import builtins
import sys
import types
import weakref
from typing import Any, Dict, Iterator, Optional, Tuple

__all__ = ["Lacking", "lacks", "owner_of", "public_name"]

Version = Tuple[int, int]


class Lacking(Exception):
    """A version of Python lacks something that a function refers to."""


# The version that a module came with; and the first that is without it.
_CAME: Dict[str, Version] = {
    "asyncio.taskgroups": (3, 11),
    "asyncio.threads": (3, 9),
    "asyncio.timeouts": (3, 11),
    "contextvars": (3, 7),
    "dataclasses": (3, 7),
    "graphlib": (3, 9),
    "importlib.metadata": (3, 8),
    "importlib.resources": (3, 7),
    "multiprocessing.shared_memory": (3, 8),
    "multiprocessing.resource_tracker": (3, 8),
    "tomllib": (3, 11),
    "unittest.async_case": (3, 8),
    "wsgiref.types": (3, 11),
    "zoneinfo": (3, 9),
}
_WENT: Dict[str, Version] = {
    **dict.fromkeys(["macpath"], (3, 8)),
    **dict.fromkeys(["_dummy_thread", "dummy_threading"], (3, 9)),
    **dict.fromkeys(["formatter", "parser", "symbol"], (3, 10)),
    **dict.fromkeys(["binhex"], (3, 11)),
    **dict.fromkeys(["asynchat", "asyncore", "distutils", "imp", "smtpd"], (3, 12)),
    **dict.fromkeys(
        [
            *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap"),
            *("msilib", "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau"),
            *("telnetlib", "uu", "xdrlib"),
        ],
        (3, 13),
    ),
}

# The functions and classes that came with a version, in modules that were there before.
_NAMES_CAME: Dict[Version, Dict[str, str]] = {
    (3, 7): {
        "asyncio": "BufferedProtocol all_tasks create_task current_task get_running_loop run",
        "builtins": "breakpoint",
        "contextlib": "AbstractAsyncContextManager AsyncExitStack _AsyncGeneratorContextManager"
        " asynccontextmanager nullcontext",
        "hmac": "digest",
        "math": "remainder",
        "queue": "SimpleQueue",
        "re": "Match Pattern",
        "ssl": "TLSVersion",
        "time": "monotonic_ns perf_counter_ns process_time_ns thread_time thread_time_ns time_ns",
        "typing": "ForwardRef Hashable OrderedDict Sized",
        "uuid": "SafeUUID",
    },
    (3, 8): {
        "argparse": "_ExtendAction",
        "functools": "cached_property singledispatchmethod",
        "gzip": "BadGzipFile",
        "math": "comb dist isqrt perm prod",
        "pprint": "pp",
        "shlex": "join",
        "statistics": "NormalDist fmean geometric_mean multimode quantiles",
        "typing": "Final Literal Protocol SupportsIndex TypedDict final get_args get_origin"
        " runtime_checkable",
        "unicodedata": "is_normalized",
    },
    (3, 9): {
        "argparse": "BooleanOptionalAction",
        "ast": "unparse",
        "asyncio": "to_thread",
        "functools": "cache",
        "math": "lcm nextafter ulp",
        "os": "pidfd_open waitstatus_to_exitcode",
        "random": "randbytes",
        "types": "GenericAlias",
        "typing": "Annotated",
    },
    (3, 10): {
        "base64": "b32hexdecode b32hexencode",
        "builtins": "EncodingWarning aiter anext",
        "contextlib": "AsyncContextDecorator aclosing",
        "inspect": "get_annotations",
        "itertools": "pairwise",
        "statistics": "LinearRegression correlation covariance linear_regression",
        "types": "UnionType",
        "typing": "Concatenate ParamSpec TypeAlias TypeGuard is_typeddict",
    },
    (3, 11): {
        "asyncio": "Barrier BrokenBarrierError Runner TaskGroup Timeout timeout timeout_at",
        "builtins": "BaseExceptionGroup ExceptionGroup",
        "contextlib": "chdir",
        "enum": "EnumCheck FlagBoundary ReprEnum StrEnum global_enum member nonmember property"
        " verify",
        "hashlib": "file_digest",
        "http": "HTTPMethod",
        "inspect": "getmembers_static",
        "logging": "getLevelNamesMapping",
        "math": "cbrt exp2",
        "sys": "exception",
        "typing": "LiteralString Never NotRequired Required Self TypeVarTuple Unpack"
        " assert_never assert_type dataclass_transform get_overloads reveal_type",
    },
    (3, 12): {
        "asyncio": "create_eager_task_factory eager_task_factory",
        "calendar": "Day Month",
        "itertools": "batched",
        "logging": "getHandlerByName getHandlerNames",
        "math": "sumprod",
        "random": "binomialvariate",
        "types": "get_original_bases",
        "typing": "TypeAliasType override",
    },
    (3, 13): {
        "asyncio": "QueueShutDown",
        "base64": "z85decode z85encode",
        "builtins": "PythonFinalizationError",
        "copy": "replace",
        "math": "fma",
        "os": "process_cpu_count",
        "queue": "ShutDown",
        "statistics": "kde kde_random",
        "typing": "ReadOnly TypeIs get_protocol_members is_protocol",
        "warnings": "deprecated",
    },
}
# The same for those that a version is the first without.
_NAMES_WENT: Dict[Version, Dict[str, str]] = {
    (3, 8): {"platform": "dist linux_distribution popen", "time": "clock"},
    (3, 9): {"base64": "decodestring encodestring", "fractions": "gcd"},
    (3, 11): {
        "asyncio": "coroutine",
        "gettext": "bind_textdomain_codeset ldgettext ldngettext lgettext lngettext",
        "inspect": "ArgSpec formatargspec getargspec",
    },
    (3, 12): {"locale": "format", "ssl": "match_hostname wrap_socket"},
    (3, 13): {"locale": "resetlocale", "re": "template"},
}

# Classes that were known by another name, which they have still.
_RENAMED = {
    ("_thread", "lock"): ("threading", "Lock"),
    ("enum", "EnumType"): ("enum", "EnumMeta"),
    ("re", "PatternError"): ("re", "error"),
}

# The attributes of a class that are made for its slots.
SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)

# What is Python's own `TimeoutError` since Python 3.10 or 3.11.
TIMEOUTS = [
    ("asyncio", "TimeoutError"),
    ("concurrent.futures", "TimeoutError"),
    ("socket", "timeout"),
]

# Types of Python's own that are neither in `builtins` nor in `types`, and where they have a name.
HIDDEN: Dict[type, Tuple[str, str]] = {
    kind: ("_collections_abc", name)
    for name, kind in vars(_collections_abc).items()
    if type(kind) is type
    and kind.__module__ == "builtins"
    and not hasattr(builtins, kind.__name__)
    and not any(kind is known for known in vars(types).values())
}
HIDDEN[weakref.ref] = ("weakref", "ref")


def lacks(version: Tuple[int, ...], module: str, name: str = "") -> Optional[str]:
    """Find out whether a version of Python is without a part of the standard library.

    Args:
        version: The version, such as ``(3, 7)``.
        module: The module's name.
        name: The name of a function or class in it; empty for the module itself.

    Returns:
        Why it is not there; None where it is, as far as is known.
    """
    short = tuple(version[:2])
    parent = module
    while parent:
        if parent in _CAME and short < _CAME[parent]:
            return "the module {} came with Python {}.{}".format(parent, *_CAME[parent])
        if parent in _WENT and short >= _WENT[parent]:
            return "the module {} is gone since Python {}.{}".format(parent, *_WENT[parent])
        parent = parent.rpartition(".")[0]
    for since, came in _NAMES_CAME.items():
        if short < since and name and name in came.get(module, "").split():
            return "{}.{} came with Python {}.{}".format(module, name, *since)
    for since, went in _NAMES_WENT.items():
        if short >= since and name and name in went.get(module, "").split():
            return "{}.{} is gone since Python {}.{}".format(module, name, *since)
    return None


def public_name(value: Any) -> Tuple[str, str]:
    """The module and the name by which all versions know a part of the standard library.

    Where a package keeps its parts is its own affair, and differs between versions:
    ``pathlib._local`` is there in Python 3.13 only, ``asyncio.exceptions`` since Python 3.8.

    Args:
        value: The function or class.

    Returns:
        The shortest name of a module that has it under the same name, or its older name; otherwise
        its own.
    """
    home, name = value.__module__, value.__name__
    if (home, name) in _RENAMED:
        return _RENAMED[home, name]
    if home == "_hashlib":  # which is there only if Python was built with OpenSSL
        return "hashlib", name.replace("openssl_", "", 1)
    for module in _homes(home):
        if vars(sys.modules.get(module, sys)).get(name) is value:
            return module, name
    return home, name


def owner_of(function: Any) -> Optional[type]:
    """The class that all versions know a function of the standard library by.

    Args:
        function: The function.

    Returns:
        The class that it was made for; or one that inherits it, where that is a public one and the
        other is not.  None if it is no method.
    """
    home, name = function.__module__, function.__name__
    path = getattr(function, "__qualname__", name).rpartition(".")[0]
    owner: Any = sys.modules.get(home) if path else None
    for each in path.split("."):
        owner = getattr(owner, each, None)
    if not isinstance(owner, type) or vars(owner).get(name) is not function:
        return None
    public = sys.modules.get(public_name(owner)[0].partition("._")[0], sys)
    kinds = [kind for kind in vars(public).values() if issubclass(type(kind), type)]
    heirs = [
        kind for kind in kinds if owner in kind.__mro__ and getattr(kind, name, None) is function
    ]
    return min(heirs, key=lambda kind: len(kind.__mro__), default=owner)


def _homes(home: str) -> Iterator[str]:
    if home in ("posix", "nt"):
        yield "os"
    if home == "collections.abc" or home == "_collections_abc":  # once were in `collections` too
        yield "collections.abc"
        return
    parts = home.split(".")
    if parts[0].startswith("_"):  # a part in C
        yield parts[0][1:]
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])
