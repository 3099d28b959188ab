"""What the replies of Gears commands become.

Each class takes what a server of any version sends: fields that it does not know are kept in
``extra``, and fields that a server does not send have defaults.  Texts are always ``str``, with
``decode_responses`` or without; both protocols' shapes (lists and maps) are understood.
"""

from enum import Enum
from typing import (
    Any,
    Dict,
    List,
    Mapping,
    Optional,
    Tuple,
    Type,
    TypeVar,
    Union,
)

import attr

from redgrease.convert import (
    maybe_decimal,
    maybe_number,
    maybe_text,
    maybe_truth,
    number,
    pairs,
    plain,
    text,
    truth,
)
from redgrease.privatedata import parse_PD, read_signature
from redgrease.responses import parse_execute_response, parse_trigger_response
from redgrease.results import ExecutionResult

__all__ = [
    "ClusterInfo",
    "ExecID",
    "ExecLocality",
    "ExecutionInfo",
    "ExecutionPlan",
    "ExecutionResult",
    "ExecutionStatus",
    "ExecutionStep",
    "Plugin",
    "PyRequirementInfo",
    "PyStats",
    "RedisObject",
    "RegData",
    "Registration",
    "RequirementExport",
    "Session",
    "ShardInfo",
    "parse_PD",
    "parse_execute_response",
    "parse_trigger_response",
]

RO = TypeVar("RO", bound="RedisObject")


# -- fields that need more than a plain conversion


def _texts(value: Any) -> Any:
    """A list of texts; a message that comes instead of the list stays a text."""
    if isinstance(value, (list, tuple, set)):
        return [text(item) for item in value]
    return [] if value is None else text(value)


def _error(value: Any) -> Optional[str]:
    # 1.0 sends the end mark of its C strings along.
    return None if value is None else text(value).rstrip("\0")


def _errors(value: Any) -> Any:
    errors = _texts(value)
    return list(map(_error, errors)) if isinstance(errors, list) else errors


def _argument_dict(value: Any) -> Dict[str, Any]:
    return {name: plain(item) for name, item in pairs(value).items()}


def _pd(value: Any) -> Dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else parse_PD(value)


# -- names of things


class _Word(Enum):
    """A word of the protocol: equal to its text and its bytes, in any letter case."""

    def __str__(self) -> str:
        return text(self.value)

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (str, bytes, Enum)):
            return str(self) == text(other.value if isinstance(other, Enum) else other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    @classmethod
    def _missing_(cls, value: object) -> Any:
        if isinstance(value, (str, bytes)):
            for member in cls:
                if str(member).lower() == text(value).lower():
                    return member
        raise ValueError(f"{value!r} is not a valid {cls.__name__}")


class ExecutionStatus(_Word):
    """The states of an execution."""

    created = b"created"
    running = b"running"
    done = b"done"
    aborted = b"aborted"
    pending_cluster = b"pending_cluster"
    pending_run = b"pending_run"
    pending_receive = b"pending_receive"
    pending_termination = b"pending_termination"


class ExecLocality(_Word):
    """Whether ``getexecution`` asks one shard, or all of them."""

    Shard = "Shard"
    Cluster = "Cluster"


@attr.s(auto_attribs=True, frozen=True, order=True, repr=False)
class ExecID:
    """The id of an execution or of a registration: a shard's id, and a number.

    Attributes:
        shard_id: The id of the shard that gave the number; zeros if there is no cluster.
        sequence: The number.
    """

    shard_id: str = attr.ib(default="0" * 40, converter=text)
    sequence: int = attr.ib(default=0, converter=int)

    def __str__(self) -> str:
        return f"{self.shard_id}-{self.sequence}"

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8")

    def __repr__(self) -> str:
        if not self.shard_id.strip("0"):
            return f"ExecID(sequence={self.sequence})"
        return f'ExecID("{self.shard_id}", {self.sequence})'

    @staticmethod
    def parse(value: Union[str, bytes, "ExecID"]) -> "ExecID":
        """Read an id from its text form.

        Args:
            value: The text, such as ``0000000000000000000000000000000000000000-1``.

        Returns:
            The id.

        Raises:
            ValueError: The text does not have that form.
        """
        if isinstance(value, ExecID):
            return value
        if not isinstance(value, (str, bytes)):
            raise ValueError(f"not the text of an execution id: {value!r}")
        fields = text(value).split("-")
        if len(fields) < 2:
            raise ValueError(f"not an execution id: {value!r}")
        return ExecID(fields[0], int(fields[1]))


def _id(value: Any) -> Any:
    """An ExecID; a text where a server has ids of another form."""
    try:
        return ExecID.parse(value)
    except ValueError:
        return text(value)


def _status(value: Any) -> Any:
    """An ExecutionStatus; a text where a server has states we do not know."""
    try:
        return ExecutionStatus(value)
    except ValueError:
        return text(value)


# -- objects

# What some documentation or version calls a field, and what it is called here.
_ALIASES = {"registered execution": "registered"}


@attr.s(auto_attribs=True, frozen=True)
class RedisObject:
    """Base of what is made from replies of names and values.

    Attributes:
        extra: What the server sent beyond the fields that are known here.
    """

    extra: Dict[str, Any] = attr.ib(factory=dict, kw_only=True, eq=False, order=False, repr=False)

    @classmethod
    def from_redis(cls: Type[RO], params: Any) -> RO:
        """Make the object from a reply.

        Args:
            params: Alternating names and values, or a map.

        Returns:
            The object.  Names that it does not have are kept in its ``extra``; names that are
            missing have their defaults.
        """
        known = {field.name for field in attr.fields(cls)}
        values: Dict[str, Any] = {}
        extra: Dict[str, Any] = {}
        for name, value in pairs(params).items():
            name = _ALIASES.get(name, name)
            if name in known and name != "extra":
                values[name] = value
            else:
                extra[name] = plain(value)
        return cls(**values, extra=extra)

    @classmethod
    def list_from_redis(cls: Type[RO], reply: Any) -> List[RO]:
        """Make a list of such objects from a list of replies."""
        return [cls.from_redis(params) for params in reply or ()]


@attr.s(auto_attribs=True, frozen=True, order=True)
class ExecutionInfo(RedisObject):
    """One entry of ``dumpexecutions``."""

    executionId: ExecID = attr.ib(factory=ExecID, converter=_id)
    status: ExecutionStatus = attr.ib(default=ExecutionStatus.created, converter=_status)
    registered: bool = attr.ib(default=False, converter=truth)


@attr.s(auto_attribs=True, frozen=True, order=True)
class RegData(RedisObject):
    """The state of a registration.

    Attributes:
        status: For StreamReaders, whether all is well.
        state: For StreamReaders, the status in the server's word, such as ``PAUSED``.
    """

    mode: str = attr.ib(default="", converter=text)
    numTriggered: int = attr.ib(default=0, converter=number)
    numSuccess: int = attr.ib(default=0, converter=number)
    numFailures: int = attr.ib(default=0, converter=number)
    numAborted: int = attr.ib(default=0, converter=number)
    lastError: Optional[str] = attr.ib(default=None, converter=_error)
    args: Dict[str, Any] = attr.ib(factory=dict, converter=_argument_dict)
    status: Optional[bool] = attr.ib(default=None, converter=maybe_truth)
    state: Optional[str] = attr.ib(default=None, converter=maybe_text)
    lastRunDurationMS: Optional[int] = attr.ib(default=None, converter=maybe_number)
    totalRunDurationMS: Optional[int] = attr.ib(default=None, converter=maybe_number)
    avgRunDurationMS: Optional[float] = attr.ib(default=None, converter=maybe_decimal)
    lastEstimatedLagMS: Optional[int] = attr.ib(default=None, converter=maybe_number)
    avgEstimatedLagMS: Optional[float] = attr.ib(default=None, converter=maybe_decimal)

    @classmethod
    def from_redis(cls, params: Any) -> "RegData":
        """As for every object; ``status`` is kept as ``state`` too."""
        values = pairs(params)
        if "status" in values:
            values["state"] = values["status"]
        return super().from_redis(values)


def _reg_data(value: Any) -> RegData:
    return value if isinstance(value, RegData) else RegData.from_redis(value)


@attr.s(auto_attribs=True, frozen=True, order=True)
class Registration(RedisObject):
    """One entry of ``dumpregistrations``.

    Attributes:
        PD: The "private data", taken apart as well as its text allows.
    """

    id: ExecID = attr.ib(factory=ExecID, converter=_id)
    reader: str = attr.ib(default="", converter=text)
    desc: Optional[str] = attr.ib(default=None, converter=maybe_text)
    RegistrationData: RegData = attr.ib(factory=RegData, converter=_reg_data)
    PD: Dict[str, Any] = attr.ib(factory=dict, converter=_pd, repr=False)
    ExecutionThreadPool: Optional[str] = attr.ib(default=None, converter=maybe_text)


@attr.s(auto_attribs=True, frozen=True, order=True)
class ExecutionStep(RedisObject):
    """One step of an execution plan."""

    type: str = attr.ib(default="", converter=text)
    duration: int = attr.ib(default=0, converter=number)
    name: str = attr.ib(default="", converter=text)
    arg: str = attr.ib(default="", converter=text)


def _steps(value: Any) -> List[ExecutionStep]:
    return [
        step if isinstance(step, ExecutionStep) else ExecutionStep.from_redis(step)
        for step in value or ()
    ]


@attr.s(auto_attribs=True, frozen=True, order=True)
class ExecutionPlan(RedisObject):
    """How an execution went on one shard.

    Attributes:
        results: The number of results; -1 while the execution runs.
        steps: The steps, the last one first.
    """

    status: ExecutionStatus = attr.ib(default=ExecutionStatus.created, converter=_status)
    shards_received: int = attr.ib(default=0, converter=number)
    shards_completed: int = attr.ib(default=0, converter=number)
    results: int = attr.ib(default=-1, converter=number)
    errors: List[str] = attr.ib(factory=list, converter=_errors)
    total_duration: int = attr.ib(default=0, converter=number)
    read_duration: int = attr.ib(default=0, converter=number)
    steps: List[ExecutionStep] = attr.ib(factory=list, converter=_steps)

    @staticmethod
    def parse(reply: Any) -> Dict[str, "ExecutionPlan"]:
        """Read the reply of ``RG.GETEXECUTION``.

        Args:
            reply: The reply.

        Returns:
            The plan of each shard, by the shard's id.
        """
        plans = {}
        for shard in map(pairs, reply or ()):
            plan = ExecutionPlan.from_redis(shard.get("execution_plan"))
            plans[text(shard.get("shard_id"))] = plan
        return plans


@attr.s(auto_attribs=True, frozen=True, order=True)
class ShardInfo(RedisObject):
    """One shard of a cluster, as Gears knows it."""

    id: str = attr.ib(default="", converter=text)
    ip: str = attr.ib(default="", converter=text)
    port: int = attr.ib(default=0, converter=number)
    unixSocket: str = attr.ib(default="", converter=text)
    runid: str = attr.ib(default="", converter=text)
    minHslot: int = attr.ib(default=0, converter=number)
    maxHslot: int = attr.ib(default=0, converter=number)
    pendingMessages: int = attr.ib(default=0, converter=number)


@attr.s(auto_attribs=True, frozen=True, order=True)
class ClusterInfo(RedisObject):
    """A cluster, as one of its shards knows it."""

    my_id: str = attr.ib(default="", converter=text)
    my_run_id: str = attr.ib(default="", converter=text)
    shards: List[ShardInfo] = attr.ib(factory=list)

    @staticmethod
    def parse(reply: Any) -> Optional["ClusterInfo"]:
        """Read the reply of ``RG.INFOCLUSTER``.

        Args:
            reply: The reply.

        Returns:
            The cluster; None if the server is in no cluster.
        """
        if not reply or isinstance(reply, (str, bytes)):
            return None
        if isinstance(reply, Mapping):
            reply = [item for pair in reply.items() for item in pair]
        # The list of shards is the last element, in every version; its name is not sent.
        values = pairs(reply[:-1])
        return ClusterInfo(
            my_id=values.pop("MyId", ""),
            my_run_id=values.pop("MyRunId", ""),
            shards=ShardInfo.list_from_redis(reply[-1]),
            extra={name: plain(value) for name, value in values.items()},
        )


@attr.s(auto_attribs=True, frozen=True, order=True)
class PyStats(RedisObject):
    """Memory of the server's Python, in bytes."""

    TotalAllocated: int = attr.ib(default=0, converter=number)
    PeakAllocated: int = attr.ib(default=0, converter=number)
    CurrAllocated: int = attr.ib(default=0, converter=number)


@attr.s(auto_attribs=True, frozen=True, order=True)
class PyRequirementInfo(RedisObject):
    """One Python requirement of the server."""

    GearReqVersion: int = attr.ib(default=0, converter=number)
    Name: str = attr.ib(default="", converter=text)
    IsDownloaded: bool = attr.ib(default=False, converter=truth)
    IsInstalled: bool = attr.ib(default=False, converter=truth)
    CompiledOs: str = attr.ib(default="", converter=text)
    Wheels: Union[str, List[str]] = attr.ib(factory=list, converter=_texts)
    Path: Optional[str] = attr.ib(default=None, converter=maybe_text)
    RefCount: Optional[int] = attr.ib(default=None, converter=maybe_number)
    IsInReqDictionary: Optional[bool] = attr.ib(default=None, converter=maybe_truth)


@attr.s(auto_attribs=True, frozen=True, order=True)
class RequirementExport:
    """A requirement in the server's own format, to be imported into another server."""

    info: PyRequirementInfo
    chunks: Tuple[bytes, ...] = attr.ib(converter=tuple, repr=False)

    @classmethod
    def from_redis(cls, reply: Any) -> "RequirementExport":
        """Read the reply of ``RG.PYEXPORTREQ``."""
        info, chunks = reply
        return cls(PyRequirementInfo.from_redis(info), chunks)


def _requirements(value: Any) -> List[Any]:
    return [
        text(item) if isinstance(item, (str, bytes)) else PyRequirementInfo.from_redis(item)
        for item in value or ()
    ]


def _registrations(value: Any) -> List[Any]:
    return [
        _id(item) if isinstance(item, (str, bytes)) else Registration.from_redis(item)
        for item in value or ()
    ]


@attr.s(auto_attribs=True, frozen=True, order=True)
class Session(RedisObject):
    """One session: what one ``RG.PYEXECUTE`` has left on the server.

    Attributes:
        requirements: The names of its requirements; verbose, ``PyRequirementInfo`` objects.
        registrations: The ids of its registrations; verbose, ``Registration`` objects.
        fingerprint: The digest of the function by which it was made, if redgrease has noted it
            behind the description.
    """

    ID: str = attr.ib(default="", converter=text)
    sessionDescription: Optional[str] = attr.ib(default=None, converter=maybe_text)
    refCount: int = attr.ib(default=0, converter=number)
    linked: str = attr.ib(default="", converter=text)
    dead: bool = attr.ib(default=False, converter=truth)
    requirementInstallationNeeded: int = attr.ib(default=0, converter=number)
    requirements: List[Any] = attr.ib(factory=list, converter=_requirements)
    registrations: List[Any] = attr.ib(factory=list, converter=_registrations)
    fingerprint: Optional[str] = attr.ib(default=None, converter=maybe_text)

    @classmethod
    def from_redis(cls, params: Any) -> "Session":
        """As for every object; the fingerprint is taken out of the description."""
        values = pairs(params)
        description, found = read_signature(maybe_text(values.get("sessionDescription")))
        values["sessionDescription"] = description
        if found is not None:
            values["fingerprint"] = found
        return super().from_redis(values)


@attr.s(auto_attribs=True, frozen=True, order=True)
class Plugin:
    """A plugin of the server, such as its Python."""

    name: str = attr.ib(converter=text)
    version: int = attr.ib(converter=number)

    @classmethod
    def list_from_redis(cls, reply: Any) -> List["Plugin"]:
        """Read the reply of ``RG.DUMPPLUGINS``."""
        if isinstance(reply, Mapping):
            return [cls(*item) for item in reply.items()]
        return [cls(*entry[:2]) for entry in reply or ()]
