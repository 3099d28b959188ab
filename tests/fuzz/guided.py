"""``python -m tests.fuzz.guided requests|results [--seconds N]``: lets coverage lead the fuzzer.

It needs the package atheris, of which there are wheels for Linux.  What it checks:

- requests: wherever the bytes are cut, the same requests are found in them, or the same fault.
- results: a client that reads plain data only makes nothing else of any bytes, and they change
  nothing that it has.
"""

import argparse
import enum
import fractions
import importlib
import ipaddress
import pickle
import sys
import uuid

import atheris

with atheris.instrument_imports(include=["redgrease"]):
    from redgrease import unpickling
    from redgrease.engine import resp

MOST = 200
PLAIN = {type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set,
         frozenset}  # fmt: skip


def found(data):
    """The requests in some bytes, where each ends, and whether there is a fault behind them."""
    framer, position, requests = resp.Framer(), 0, []
    while position < len(data) and len(requests) < MOST:
        try:
            end = framer.next(data, position)
        except resp.ProtocolError:
            return requests, True
        if end < 0:
            break
        assert end > position
        requests.append((end, framer.words))
        position = end
    return requests, False


def check_requests(data):
    """Find requests in a part of the bytes, and in all of them."""
    source = atheris.FuzzedDataProvider(data)
    cut = source.ConsumeIntInRange(0, len(data))
    stream = source.ConsumeBytes(len(data))
    whole, faulty = found(stream)
    part, early = found(stream[:cut])
    assert part == whole[: len(part)], (stream, cut)
    if early:
        assert faulty and len(part) == len(whole), (stream, cut)
    for end, words in whole:
        if words and stream[end - 1 : end] == b"\n" and len(words) < MOST:
            again = resp.command(words)
            assert found(again) == ([(len(again), words)], False), words
    start = whole[-1][0] if whole else 0
    rest = stream[start:]
    if rest[:1] == b"*" and b"\r\n" in rest:
        check_passage(rest, cut)


def check_passage(data, cut):
    """Let an incomplete request pass in two pieces, and in one."""
    ends = []
    for first in (data[: max(cut, data.find(b"\r\n") + 2)], data):
        try:
            passage = resp.Passage(first, 0)
            taken = passage.taken
            if taken == len(first):
                taken += passage.take(memoryview(data)[len(first) :])
            ends.append((taken, passage.done))
        except resp.ProtocolError:
            ends.append(None)
    assert ends[0] == ends[1], (data, cut)


def present():
    """What the classes of plain data have, all in all."""
    found = []
    for module, names in unpickling._SAFE.items():
        try:
            home = importlib.import_module(module)
        except ImportError:
            continue
        for name in names:
            kind = getattr(home, name)
            found.append(
                {
                    key: id(value)
                    for key, value in vars(kind).items()
                    if key != "__abstractmethods__"
                }
            )
            if issubclass(kind, enum.Enum):
                found += [dict(vars(member)) for member in kind]
    return found


def check_results(data):
    """Read bytes as a result."""
    try:
        read_result(data)
    finally:
        assert present() == BEFORE, data


def read_result(data):
    try:
        value = unpickling.decode(data, unpickling.SAFE)
    except (pickle.UnpicklingError, MemoryError, RecursionError):
        return
    waiting, seen = [value], set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        kind = type(each)
        assert kind in PLAIN or kind.__module__ in SAFE_MODULES or isinstance(each, type), kind
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, (list, tuple, set, frozenset)):
            waiting += each


BEFORE = present()
SAFE_MODULES = {"builtins", *unpickling._SAFE}
TARGETS = {"requests": check_requests, "results": check_results}
SEEDS = {
    "requests": [
        b"*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\n*1\r\n$4\r\nPING\r\nGET 'a\\'' \"\\x41\"\r\n"
    ],
    "results": [
        pickle.dumps(each, 4)
        for each in (
            {"a": [1, (2.5, b"x")]},
            {1, 2},
            KeyError("a"),
            uuid.UUID(int=5),
            fractions.Fraction(1, 3),
            ipaddress.ip_address("::1"),
        )
    ]
    + [b"ccollections\nCounter\n(N(dVx\nI1\nstb.", b"cuuid\nSafeUUID\n(I0\ntR(dVx\nI5\nsb."],
}


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    import resource
    import tempfile
    from pathlib import Path

    # Python's own unpickler believes what a pickle says of sizes: that is a MemoryError here.
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    folder = Path(tempfile.mkdtemp(prefix="redgrease-fuzz-"))
    for number, seed in enumerate(SEEDS[options.target]):
        (folder / f"seed{number}").write_bytes(seed)
    limits = [f"-max_total_time={options.seconds}", "-max_len=4096", "-rss_limit_mb=0"]
    # What it finds is kept in the folder, whose name is printed with it.
    arguments = [sys.argv[0], *limits, f"-artifact_prefix={folder}/", str(folder)]
    atheris.Setup(arguments, TARGETS[options.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
