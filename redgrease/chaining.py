"""Operations: methods that append a step to an open function."""

from typing import TYPE_CHECKING, Any, Iterable, List

from redgrease import operations as ops
from redgrease.arguments import check_number, operand
from redgrease.utils import passfun

if TYPE_CHECKING:
    from redgrease.gears import OpenGearFunction

__all__ = ["Chaining"]


def _given(*operands: Any) -> Iterable[Any]:
    """The operands up to the last that was given, to be shown."""
    words = list(operands)
    while words and words[-1] is None:
        words.pop()
    return words


def _aggregation(
    title: str, zero: Any, seqOp: Any, combOp: Any, adding: Any, gathering: Any
) -> List[Any]:
    """The zero and the functions of an aggregation, of what the user gave of them."""
    zero = [] if zero is None else zero
    if seqOp is None:
        seq, comb = ops.default_operands(title, zero, adding, gathering)
    else:
        seq = comb = operand(title, seqOp)
    return [zero, seq, operand(title, combOp, comb)]


class Chaining:
    """The operations, as methods.  Each returns a new function with one more step."""

    def _append(
        self, step: ops.Operation, requirements: Any, title: str, shown: Iterable[Any]
    ) -> "OpenGearFunction[Any]":
        """Make a function of this one and one step more.

        Args:
            step: The step.
            requirements: Packages that it needs.
            title: What the user called.
            shown: What he gave.
        """
        raise NotImplementedError

    def _then(
        self,
        title: str,
        args: Iterable[Any] = (),
        shown: Iterable[Any] = (),
        requirements: Any = None,
    ) -> "OpenGearFunction[Any]":
        return self._append(ops.STEPS[title](*args), requirements, title, shown)

    def map(self, op: Any, requirements: Any = None) -> "OpenGearFunction[Any]":
        """Replace each record by what a function returns for it.

        Args:
            op: Called with a record; returns the new record.
            requirements: Packages that the function needs.
        """
        return self._then("map", [operand("map", op)], [op], requirements)

    def flatmap(self, op: Any = None, requirements: Any = None) -> "OpenGearFunction[Any]":
        """Replace each record by any number of records.

        Args:
            op: Called with a record; returns a list of new records (anything else becomes one
                record).  By default, the record itself is split up.
            requirements: Packages that the function needs.

        Note:
            The elements of a list continue in reverse order.
        """
        return self._then("flatmap", [operand("flatmap", op, passfun())], _given(op), requirements)

    def foreach(self, op: Any, requirements: Any = None) -> "OpenGearFunction[Any]":
        """Call a function with each record, and continue with the same record.

        Args:
            op: Called with a record; what it returns is ignored.
            requirements: Packages that the function needs.
        """
        return self._then("foreach", [operand("foreach", op)], [op], requirements)

    def filter(self, op: Any = None, requirements: Any = None) -> "OpenGearFunction[Any]":
        """Keep the records for which a function returns something true.

        Args:
            op: Called with a record.  By default, records are kept if they are true themselves.
            requirements: Packages that the function needs.
        """
        return self._then("filter", [operand("filter", op, passfun())], _given(op), requirements)

    def accumulate(self, op: Any = None, requirements: Any = None) -> "OpenGearFunction[Any]":
        """Combine all records of a shard into one.

        Args:
            op: Called with the accumulator (None at first) and a record; returns the accumulator.
                By default, a list of all records.
            requirements: Packages that the function needs.
        """
        function = operand("accumulate", op, ops.list_accumulator())
        return self._then("accumulate", [function], _given(op), requirements)

    def localgroupby(
        self, extractor: Any = None, reducer: Any = None, requirements: Any = None
    ) -> "OpenGearFunction[Any]":
        """Group the records of each shard; each group becomes ``{'key': …, 'value': …}``.

        Args:
            extractor: Called with a record; returns the key of its group.  By default the record.
            reducer: Called with the key, the group's accumulator (None at first) and a record;
                returns the accumulator.  By default, a list of the records.
            requirements: Packages that the functions need.
        """
        return self._group("localgroupby", extractor, reducer, ops.list_reducer(), requirements)

    def groupby(
        self, extractor: Any = None, reducer: Any = None, requirements: Any = None
    ) -> "OpenGearFunction[Any]":
        """Group the records of all shards; each group becomes ``{'key': …, 'value': …}``.

        Args:
            extractor: Called with a record; returns the key of its group.  By default the record.
            reducer: Called with the key, the group's accumulator (None at first) and a record;
                returns the accumulator.  By default, a list of the records.
            requirements: Packages that the functions need.
        """
        return self._group("groupby", extractor, reducer, ops.list_reducer(), requirements)

    def batchgroupby(
        self, extractor: Any = None, reducer: Any = None, requirements: Any = None
    ) -> "OpenGearFunction[Any]":
        """Group the records of all shards, and reduce each group at once.

        Args:
            extractor: Called with a record; returns the key of its group.  By default the record.
            reducer: Called with the key and the list of the group's records; returns the value.
                By default, the number of records.
            requirements: Packages that the functions need.
        """
        return self._group("batchgroupby", extractor, reducer, ops.batch_length(), requirements)

    def _group(
        self, name: str, extractor: Any, reducer: Any, default: Any, requirements: Any
    ) -> "OpenGearFunction[Any]":
        args = [
            operand(name, extractor, ops.whole_record(), may_wait=False),
            operand(name, reducer, default, may_wait=name != "batchgroupby"),
        ]
        return self._then(name, args, _given(extractor, reducer), requirements)

    def limit(
        self, length: int, start: int = 0, requirements: Any = None
    ) -> "OpenGearFunction[Any]":
        """Keep only some records of each shard (for an overall limit, ``collect`` first).

        Args:
            length: How many records.
            start: How many records to skip first.
            requirements: Packages that the function needs.
        """
        numbers = [check_number("limit(length)", length, 0), check_number("limit(start)", start, 0)]
        return self._then("limit", numbers, numbers[: 2 if start else 1], requirements)

    def collect(self, requirements: Any = None) -> "OpenGearFunction[Any]":
        """Move the records of all shards to the shard that received the command."""
        return self._then("collect", requirements=requirements)

    def distinct(self, requirements: Any = None) -> "OpenGearFunction[Any]":
        """Keep each record once; records must be hashable."""
        return self._then("distinct", requirements=requirements)

    def count(self, requirements: Any = None) -> "OpenGearFunction[int]":
        """Count the records.  Without records, the result is empty rather than 0."""
        return self._then("count", requirements=requirements)

    def repartition(self, extractor: Any, requirements: Any = None) -> "OpenGearFunction[Any]":
        """Move each record to the shard that owns a key.

        Args:
            extractor: Called with a record; returns the key.
            requirements: Packages that the function needs.
        """
        function = operand("repartition", extractor, may_wait=False)
        return self._then("repartition", [function], [extractor], requirements)

    def aggregate(
        self,
        zero: Any = None,
        seqOp: Any = None,
        combOp: Any = None,
        requirements: Any = None,
    ) -> "OpenGearFunction[Any]":
        """Combine all records into one: first on each shard, then across shards.

        Args:
            zero: What the accumulators start with, in both phases; servers start over with it
                whenever the accumulator is false.  By default an empty list.
            seqOp: Called with the accumulator and a record.  By default, addition where zero is
                a number, and a list of the records where it is a list.
            combOp: Called with the accumulator and a shard's value.  By default ``seqOp``.
            requirements: Packages that the functions need.

        Raises:
            ValueError: There is no default ``seqOp`` for that zero.
        """
        shown = _given(zero, seqOp, combOp)
        adding, gathering = ops.adder(), ops.list_accumulator()
        args = _aggregation("aggregate", zero, seqOp, combOp, adding, gathering)
        return self._then("aggregate", args, shown, requirements)

    def aggregateby(
        self,
        extractor: Any = None,
        zero: Any = None,
        seqOp: Any = None,
        combOp: Any = None,
        requirements: Any = None,
    ) -> "OpenGearFunction[Any]":
        """Aggregate the records of each group; each becomes ``{'key': …, 'value': …}``.

        Args:
            extractor: Called with a record; returns the key of its group.  By default the record.
            zero: What the accumulators start with.  By default an empty list.
            seqOp: Called with key, accumulator and record.  By default, addition where zero is a
                number, and a list of the records where it is a list.
            combOp: Called with key, accumulator and a shard's value.  By default ``seqOp``; lists
                gathered by default are joined.
            requirements: Packages that the functions need.

        Raises:
            ValueError: There is no default ``seqOp`` for that zero.
        """
        shown = _given(extractor, zero, seqOp, combOp)
        extract = operand("aggregateby", extractor, ops.whole_record(), may_wait=False)
        adding, gathering = ops.group_adder(), ops.list_reducer()
        args = _aggregation("aggregateby", zero, seqOp, combOp, adding, gathering)
        return self._then("aggregateby", [extract, *args], shown, requirements)

    def sum(self, requirements: Any = None) -> "OpenGearFunction[Any]":
        """Add up the records.  Without records, the result is empty rather than 0."""
        step = ops.Aggregate(0, ops.adder(), ops.adder())
        return self._append(step, requirements, "sum", ())

    def sort(self, reverse: bool = True, requirements: Any = None) -> "OpenGearFunction[Any]":
        """Sort the records.

        Args:
            reverse: As servers take it: True, the default, comes out *ascending*; False,
                descending.
            requirements: Packages that the function needs.
        """
        if not isinstance(reverse, bool):
            raise TypeError(
                f"sort(reverse) is True or False, not {reverse!r}; to sort by a key, map the"
                " records to pairs of key and record"
            )
        return self._then("sort", [reverse], [] if reverse else [reverse], requirements)

    def countby(self, extractor: Any = None, requirements: Any = None) -> "OpenGearFunction[Any]":
        """Count the records of each group; each becomes ``{'key': …, 'value': …}``.

        Args:
            extractor: Called with a record; returns the key of its group.  By default the record.
            requirements: Packages that the function needs.
        """
        function = operand("countby", extractor, ops.whole_record(), may_wait=False)
        return self._then("countby", [function], _given(extractor), requirements)

    def avg(self, extractor: Any = None, requirements: Any = None) -> "OpenGearFunction[float]":
        """Compute the mean of all records.

        Args:
            extractor: Called with a record; returns a number.  By default the record as a number.
            requirements: Packages that the function needs.
        """
        function = operand("avg", extractor, ops.numeric())
        return self._then("avg", [function], _given(extractor), requirements)
