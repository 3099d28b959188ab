"""Type aliases for the callbacks and values of GearFunctions."""

from typing import Any, Callable, Dict, Hashable, Iterable, Type, TypeVar, Union

T = TypeVar("T")
#: What a step gets.
InputRecord = TypeVar("InputRecord", contravariant=True)
#: What a step gives.
OutputRecord = TypeVar("OutputRecord", covariant=True)
#: What groups records.
Key = TypeVar("Key", bound=Hashable, contravariant=True)
Val = TypeVar("Val")

#: Makes a value of something else.
Constructor = Union[Type[T], Callable[[Any], T]]
#: What redis-py returns.
RedisType = Union[bytes, int, float]
SafeType = Union[bytes, int, float, str]
#: What can be sent as an argument.
SupportedType = Union[bool, str, bytes, int, float]
RedisKey = Union[str, bytes]
#: A record of a reader.
Record = Dict[str, Any]

#: ``onRegistered`` of ``register``.
Registrator = Callable[[], None]
#: The key of a record.
Extractor = Callable[[InputRecord], Key]
#: ``map``.
Mapper = Callable[[InputRecord], OutputRecord]
#: ``flatmap``.
Expander = Callable[[InputRecord], Iterable[OutputRecord]]
#: ``foreach``.
Processor = Callable[[InputRecord], None]
#: ``filter``.
Filterer = Callable[[InputRecord], bool]
#: ``accumulate`` and ``aggregate``.
Accumulator = Callable[[T, InputRecord], T]
#: ``groupby`` and ``aggregateby``.
Reducer = Callable[[Key, T, InputRecord], T]
#: ``batchgroupby``.
BatchReducer = Callable[[Key, Iterable[InputRecord]], OutputRecord]
