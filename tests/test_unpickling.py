"""Reading pickled results: what is safe, what is not, and what is not even read."""

import asyncio
import collections
import datetime
import decimal
import fractions
import ipaddress
import os
import pickle
import sys
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

redis = pytest.importorskip("redis")

from support.scripted import ScriptedServer  # noqa: E402
from support.scripted_cluster import ScriptedCluster  # noqa: E402

import redgrease  # noqa: E402
from redgrease.client import _ClusterBase  # noqa: E402
from redgrease.unpickling import checked_mode, decode, reader, record_reader  # noqa: E402

NATIVE = _ClusterBase is not None and _ClusterBase.__module__.startswith("redis.")

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary()
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.uuids()
    | st.ip_addresses(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
VALUES = [
    {1, 2},
    frozenset([1]),
    bytearray(b"a"),
    range(3),
    slice(1, 2),
    collections.Counter("aab"),
    collections.OrderedDict(a=1),
    collections.deque([1, 2], 3),
    datetime.timezone(datetime.timedelta(hours=1)),
    decimal.Decimal("1.5"),
    fractions.Fraction(1, 3),
    uuid.UUID(int=5),
    ipaddress.ip_network("10.0.0.0/8"),
]


class Own:
    pass


class Evil:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


EVIL = [
    Evil(os.system, ("true",)),
    Evil(eval, ("1",)),
    Evil(getattr, (os, "getpid")),
    Evil(open, ("/etc/passwd",)),
    Evil(type, ("A", (), {})),
    Evil(__import__, ("os",)),
    Evil(sys.exit, (1,)),
    Own(),
    len,
    collections.namedtuple,
]


@given(PLAIN, st.sampled_from([3, 4]))
def test_plain_data_is_safe(value, protocol):
    data = pickle.dumps(value, protocol)
    assert decode(data, "safe") == value == decode(data)
    assert decode(data, "off") is data


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("protocol", [3, 4])
def test_kinds_of_plain_data(value, protocol):
    assert decode(pickle.dumps(value, protocol), "safe") == value


def test_exceptions_of_python_are_plain():
    error = decode(pickle.dumps(ValueError("no", 1)), "safe")
    assert type(error) is ValueError and error.args == ("no", 1)
    with pytest.raises(pickle.UnpicklingError, match="SystemExit"):
        decode(pickle.dumps(SystemExit(1)), "safe")


@pytest.mark.parametrize("value", EVIL)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_everything_else_is_refused(value, protocol):
    try:
        data = pickle.dumps(value, protocol)
    except TypeError:
        pytest.skip("this protocol cannot")
    for nested in (data, pickle.dumps([1, {"a": value}], protocol)):
        with pytest.raises(pickle.UnpicklingError, match="reads plain data only"):
            decode(nested, "safe")


ALTERING = [
    # GLOBAL, then BUILD with a pair: attributes of the class itself.
    b"cipaddress\nIPv4Address\n(N(dVis_private\nI01\nstb.",
    b"ccollections\nCounter\n(N(dVupdate\ncbuiltins\nlist\nstb.",
    b"cfractions\nFraction\n(N(dV_altered\nI01\nstb.",
    b"cbuiltins\nValueError\n(N(dV_altered\nI01\nstb.",
    b"cdatetime\ndate\n(N(dV_altered\nI01\nstb.",
    b"cdecimal\nDecimal\n(N(dV_altered\nI01\nstb.",
    # A member of an enumeration, of which there is just one.
    b"cuuid\nSafeUUID\n(I0\ntR(dV_altered\nI5\nsb.",
]


@pytest.mark.parametrize("data", ALTERING)
def test_nothing_that_is_here_is_altered(data):
    """Also not the classes of which plain data is made."""
    with pytest.raises(pickle.UnpicklingError):
        decode(data, "safe")
    assert not ipaddress.ip_address("8.8.8.8").is_private
    assert collections.Counter("aa").most_common() == [("a", 2)]
    assert not hasattr(uuid.SafeUUID.safe, "_altered")


def test_classes_by_name_are_refused():
    class Named(pickle.Pickler):
        def persistent_id(self, item):
            return ("os", "system") if item is Own else None

    import io

    file = io.BytesIO()
    Named(file, 4).dump([Own])
    assert decode(file.getvalue()) == [os.system]
    with pytest.raises(pickle.UnpicklingError, match="os.system"):
        decode(file.getvalue(), "safe")


@given(st.binary(max_size=60))
def test_any_bytes(data):
    try:
        decode(b"\x80\x04" + data, "safe")
    except pickle.UnpicklingError:
        pass


def test_classes_that_have_moved_within_their_package():
    data = pickle.dumps(collections.OrderedDict(a=1), 0).replace(
        b"ccollections\n", b"ccollections._moved\n"
    )
    assert b"_moved" in data
    assert decode(data) == {"a": 1}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (None, "any"),
        (True, "any"),
        ("any", "any"),
        ("safe", "safe"),
        (False, "off"),
        ("off", "off"),
    ],
)
def test_modes(mode, expected):
    assert checked_mode(mode) == expected
    for make in (
        redgrease.RedisGears,
        lambda **kwargs: redgrease.RedisGears.from_url("redis://x", **kwargs),
    ):
        client = make(unpickle=mode)
        assert client.unpickle == expected
        assert client.pipeline().unpickle == expected


@pytest.mark.parametrize("mode", ["safe", "off"])
def test_clients_that_clients_make(mode):
    with ScriptedServer() as server:
        client = redgrease.RedisGears(port=server.port, unpickle=mode)
        assert client.client().unpickle == mode


@pytest.mark.skipif(sys.version_info < (3, 10), reason="redgrease.aio needs Python 3.10")
def test_clients_that_clients_for_asyncio_make():
    pytest.importorskip("redis.asyncio.cluster")
    from redgrease.aio import RedisGears

    async def go():
        return RedisGears(unpickle="off").client().unpickle

    assert asyncio.run(go()) == "off"


@pytest.mark.skipif(not NATIVE, reason="about redis-py's own cluster client")
def test_nodes_of_clusters():
    data = pickle.dumps(1)
    cluster = ScriptedCluster()
    client = cluster.client(unpickle="off")
    for node in client.get_primaries():
        assert reader(client.get_redis_connection(node))(data) is data
    client.close()
    cluster.stop()


@pytest.mark.skipif(sys.version_info < (3, 10), reason="redgrease.aio needs Python 3.10")
def test_nodes_of_clusters_with_asyncio():
    pytest.importorskip("redis.asyncio.cluster")
    from redgrease.aio import RedisGearsCluster

    data = pickle.dumps(1)
    cluster = ScriptedCluster()
    first = cluster.servers[0]

    async def go():
        for mode, value in (("off", data), (None, 1)):
            where = {"host": first.host, "port": first.port}
            async with RedisGearsCluster(unpickle=mode, **where) as client:
                assert len(client.get_nodes()) == 2
                for node in client.get_nodes():
                    assert reader(node)(data) == value

    asyncio.run(go())
    cluster.stop()


@pytest.mark.parametrize("mode", ["never", 2, [], ""])
def test_wrong_modes(mode):
    with pytest.raises((ValueError, TypeError)):
        redgrease.RedisGears(unpickle=mode)


def test_records():
    data = pickle.dumps(1)
    assert record_reader(None)(data) == 1 and reader(None)(data) == 1
    assert record_reader(None)("text") == "text"
    client = redgrease.RedisGears(unpickle="off")
    assert record_reader(client)(data) is data


# -- on a server


@pytest.fixture
def modes(request):
    if sys.version_info < (3, 10):
        pytest.skip("the embedded server needs Python 3.10")
    request.getfixturevalue("r")
    server = request.getfixturevalue("gears_server")
    clients = {mode: server.client(unpickle=mode) for mode in ("any", "safe", "off")}
    yield clients
    for client in clients.values():
        client.close()


def two_records():
    yield {"a": 1}
    yield (2, b"3")


def test_runs_and_triggers(modes):
    plain = redgrease.PythonReader().run(two_records)
    strange = redgrease.PythonReader().map(lambda x: os.getpid).run(two_records)
    for mode in ("any", "safe"):
        assert plain.on(modes[mode]).value == [{"a": 1}, (2, b"3")]
    assert [pickle.loads(each) for each in plain.on(modes["off"])] == [{"a": 1}, (2, b"3")]
    with pytest.raises(pickle.UnpicklingError):
        strange.on(modes["safe"])

    def where():
        return type("Local", (), {})

    for mode, client in modes.items():
        double = redgrease.command(f"double {mode}", on=client)(lambda x: (x, x))
        assert double(1) == (1, 1) if mode != "off" else pickle.loads(double(1)) == (1, 1)
        double.unregister()
    kind = redgrease.command("kind", on=modes["safe"])(where)
    with pytest.raises(pickle.UnpicklingError, match="reads plain data only"):
        kind()
    kind.unregister()


def test_a_pickle_that_is_a_value_stays_one(modes):
    """Whoever writes keys must not get them unpickled."""
    data = pickle.dumps(Evil(os._exit, (1,)))
    client = modes["any"]
    client.set("evil", data)
    get = "map(lambda x: bytes(execute('GET', 'evil')))"
    script = f"GB('CommandReader').{get}.register(trigger='evil', convertToStr=False)"
    client.gears.pyexecute(script)
    assert client.gears.trigger("evil").value == data
    script = f"GB('ShardsIDReader').{get}.run(convertToStr=False)"
    assert client.gears.pyexecute(script).value == data
    id = client.gears.pyexecute(script, unblocking=True).value
    assert client.gears.getresultsblocking(id).value == data
    shipped = redgrease.KeysReader().map(lambda record: bytes(redgrease.execute("GET", "evil")))
    assert shipped.run("evil", on=client).value == data
