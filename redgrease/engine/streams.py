"""Functions that are registered for the entries of streams: StreamReader.

Every entry is processed at least once.  Entries are read through a consumer group and stay pending
there until the function has run; what is pending after a crash, of whichever process, is read
first.  New entries make themselves known by the event ``xadd``.  These events are only counted;
what is there is found out by reading, so a lost event or one too many does no harm.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from .connection import Disconnected
from .executions import Execution
from .readers import stream_id
from .registrations import SYNC, Event, Registration, Watches
from .stream_group import Entry, Gone, StreamGroup, Unavailable, Words, entries, record
from .stream_options import stream_options
from .stream_scan import StreamScan
from .stream_state import MIN_DELAY, Batch, State, Stream, StreamStatistics, longer

OK, RETRY, ABORTED, PAUSED = "OK", "WAITING_FOR_RETRY_ON_FAILURE", "ABORTED", "PAUSED"
ADDING = frozenset({"XADD", "EVAL", "EVALSHA", "FCALL"})
"""Commands that may add to streams; transactions with them are seen to by the proxy."""
ROUNDS = 64
"""Batches of one stream that are processed in a row before the thread is given up."""
LOOK_AGAIN = 0.05
"""Seconds that events may take; entries without one after twice that are old."""
_LOST = (
    "connection to Redis lost",
    "Redis cannot be reached",
    "LOADING Redis is loading",
    "the server is shutting down",
)
"""Errors of functions that say nothing about the function."""
_log = logging.getLogger("redgrease.engine")


class StreamRegistration(Registration):
    """A function that is called for entries of streams, in order, one batch at a time.

    Entries that were processed are deleted if ``trimStream`` says so: exactly these, with XDEL.
    The original cuts the stream down to the number of entries that it believes to be unread, which
    loses some when others add or delete entries at the same time.
    """

    takes_events = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        options = self.request.options
        self.pattern = options["prefix"]
        self._size: int = options["batch"]
        self._patience: float = options["duration"] / 1000
        self._policy: str = options["onFailedPolicy"]
        self._interval: int = options["onFailedRetryInterval"]
        self._trim: bool = options["trimStream"]
        self.stats = self._lags = StreamStatistics()
        self.status = OK
        self._group = StreamGroup(self.engine.keyspace)
        self._lock = threading.RLock()  # never held while Redis is asked
        self._streams: dict[bytes, Stream] = {}
        self._queued = 0
        self._scan = StreamScan(
            self.id,
            self.engine.scheduler,
            lambda: self.active and self.status not in (ABORTED, PAUSED),
            lambda: self._group.streams(self.pattern),
            self._found,
        )

    def watches(self) -> Watches:
        """Clients wait for sync functions."""
        if self.mode != SYNC:
            return Watches()
        return Watches(raising=ADDING, pattern=self.pattern)

    # -- life -----------------------------------------------------------------------------------

    def activate(self) -> None:
        """Begin to act; streams that exist already are looked for in the background."""
        super().activate()
        self.rescan()

    def deactivate(self, abort_pending: bool = False) -> None:
        """End to act, see the base class; batches that have not begun are dropped."""
        super().deactivate(abort_pending)
        with self._lock:
            self._drop_queued()
            for stream in self._streams.values():
                if stream.ticket is not None:
                    stream.ticket.cancel()

    def pause(self) -> None:
        """Read nothing until :meth:`unpause`."""
        with self._lock:
            if self.status != ABORTED:
                self._halt(PAUSED)

    def unpause(self) -> None:
        """Go on: with what is pending, then with what has come meanwhile."""
        with self._lock:
            if self.status != PAUSED:
                return
            self.status = OK
            self._look_back()
        self.rescan()

    def _halt(self, status: str) -> None:
        self.status = status
        self._drop_queued()
        for stream in self._streams.values():
            stream.arrivals.clear()  # not counted any more, so found by a scan if at all

    def _drop_queued(self) -> None:
        for stream in self._streams.values():
            if stream.state is State.QUEUED:
                stream.state = State.IDLE
                self.stats.started()
                self.stats.cancelled()

    def _look_back(self) -> None:
        """Read pending entries first, on all streams that are known."""
        for stream in list(self._streams.values()):
            stream.pending = True
            self._kick(stream)

    @property
    def _working(self) -> bool:
        return self.active and self.status == OK

    # -- find streams ---------------------------------------------------------------------------

    def rescan(self, lost: bool = False) -> None:
        """Look for streams, and for entries whose events were missed, in the background.

        Args:
            lost: Whether Redis was away, so that it may not know what was acknowledged.
        """
        self._scan.begin(lost)

    def _found(self, key: bytes, lost: bool) -> None:
        """A stream may have entries for which no event has come, or will come."""
        with self._lock:
            stream = self._stream(key)
            # Events may have been faster than the scan.  What they have begun is left alone, or
            # an execution that is aborted would be repeated.
            stream.pending |= lost or (stream.first and stream.state is not State.RUNNING)
            if stream.state is State.WAITING:
                stream.state = State.IDLE  # Redis is there again, as it seems
            if self._size == 1:
                stream.old = True  # if there are none, reading will tell
            else:
                self._look_later(stream)
            self._kick(stream)

    def _stream(self, key: bytes) -> Stream:
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = Stream(key)
            if self._size > 1:
                self._look_later(stream)  # it may have been filled in another way than by XADD
        return stream

    def _look_later(self, stream: Stream) -> None:
        """Look in a while, when the events of what is there now should have come."""

        if stream.looking:
            return
        stream.looking = True

        def look() -> None:
            with self._lock:
                stream.looking, stream.look = False, True
                self._kick(stream)

        self.engine.scheduler.later(LOOK_AGAIN, look)

    # -- events ---------------------------------------------------------------------------------

    def wants(self, event: str) -> bool:
        """Whether an event of this name may concern it."""
        return event == "xadd"

    def on_event(self, event: Event) -> None:
        """Count a new entry; in mode sync, process it if it completes a batch."""
        if not self.wants(event.name):
            return
        with self._lock:
            if not self.active or self.status in (ABORTED, PAUSED):
                return
            stream = self._stream(event.key)
            stream.pending |= stream.first  # it may have been gone when it was looked at
            stream.came()
            if self.mode != SYNC or stream.state not in (State.IDLE, State.QUEUED):
                self._kick(stream)
                return
            if not self._due(stream):
                self._set_timer(stream)
                return
            stream.state = State.RUNNING
        self._serve(stream, lambda: self._complete(stream))

    def _complete(self, stream: Stream) -> bool:
        """Whether there is more to do before the client gets its reply."""
        if not self.engine.keyspace.locked:
            return False  # the function has let others in, to wait for something
        return stream.pending or len(stream.arrivals) >= self._size

    def _due(self, stream: Stream) -> bool:
        """Whether there is something to do about a stream now."""
        if not self._working:
            return False
        if stream.pending or stream.old or stream.look or len(stream.arrivals) >= self._size:
            return True
        waited = time.monotonic() - stream.arrivals[0] if stream.arrivals else 0
        return bool(self._patience and stream.arrivals) and waited >= self._patience

    def _kick(self, stream: Stream) -> None:
        """Do what is to be done."""
        with self._lock:
            if stream.state is not State.IDLE:
                return
            if not self._due(stream):
                self._set_timer(stream)
                return
            stream.state = State.QUEUED
            self._queued += 1
        self.lane.submit(lambda: self._job(stream))

    def _set_timer(self, stream: Stream) -> None:
        if not (self._patience and stream.arrivals and stream.ticket is None and self._working):
            return

        def fire() -> None:
            with self._lock:
                stream.ticket = None
                self._kick(stream)

        waited = time.monotonic() - stream.arrivals[0]
        stream.ticket = self.engine.scheduler.later(self._patience - waited, fire)

    def _job(self, stream: Stream) -> None:
        """Process a stream, in a thread of the lane."""
        keyspace = self.engine.keyspace
        rounds = iter(range(ROUNDS if self.mode != SYNC else 1))
        if self.mode == SYNC:
            keyspace.lock()
        try:
            with self._lock:
                self._queued -= 1
                if stream.state is not State.QUEUED:
                    return  # somebody else did it meanwhile
                if not self._due(stream):
                    stream.state = State.IDLE
                    return
                stream.state = State.RUNNING
            self._serve(stream, lambda: not self._queued and next(rounds, None) is not None)
        finally:
            if self.mode == SYNC:
                keyspace.unlock()

    # -- process --------------------------------------------------------------------------------

    def _serve(self, stream: Stream, more: Callable[[], bool]) -> None:
        """Process batches of a stream that is ours (RUNNING).

        Args:
            stream: The stream.
            more: Tells whether to go on with the next batch at once.
        """
        batch: Batch | None = None
        try:
            batch = self._read(stream)
            while batch is not None:
                if not self._run(batch, stream):
                    break
                following, again = self._acknowledge(stream, batch, more)
                self.engine.in_flight.drop(stream.key, batch.entries)
                batch, stream.delay = following, MIN_DELAY
                if batch is None and again:
                    batch = self._read(stream)
        except (Disconnected, Unavailable) as error:
            self._wait(stream, str(error))
        except Exception:
            _log.exception("registration %s could not process a stream", self.id)
            self._wait(stream, "internal error")
        finally:
            if batch is not None:
                self.engine.in_flight.drop(stream.key, batch.entries)
        with self._lock:
            if stream.state is State.RUNNING:
                stream.state = State.IDLE
                self._kick(stream)

    def _read(self, stream: Stream) -> Batch | None:
        """The next batch, if it is time for one: what is pending, else what is new."""
        key, arrived = stream.key, stream.arrived
        try:
            if stream.done:
                self._group.send(self._group.acknowledgement(key, stream.done, self._trim))
                stream.done = []
            if stream.pending:
                stream.pending = False
                found = self._left_over(stream)
                first, stream.first = stream.first, False
                if found or first:
                    return Batch(found, fresh=False)
            if stream.look:
                self._look(stream)
            with self._lock:
                if not self._due(stream):
                    return None
                arrived = stream.arrived
            with self.engine.in_flight.reading(key) as since:
                return self._took(stream, self._group.read(key, self._size), arrived, since)
        except Gone:
            with self._lock:
                stream.pending = stream.look = False
                stream.exhausted(arrived)  # what came meanwhile is in another stream of that name
            return None

    def _look(self, stream: Stream) -> None:
        """Find out whether there are more entries than events; asks twice, for events take time."""
        stream.look = False
        known = len(stream.arrivals)
        if self._group.waiting(stream.key, known + 1) <= known:
            return
        if stream.suspected == stream.arrived:
            stream.old = True
        else:
            stream.suspected = stream.arrived
            self._look_later(stream)

    def _left_over(self, stream: Stream) -> list[Entry]:
        """Entries that were delivered, not acknowledged, and that nobody is working on."""
        key, in_flight = stream.key, self.engine.in_flight

        def released() -> None:
            with self._lock:
                stream.pending = True
                self._kick(stream)

        found = self._group.delivered(key)
        if not found:
            return found
        # Other registrations may just have read some of them: those show up as theirs, or are
        # acknowledged, when we look again.
        ids = {ident for ident, _ in in_flight.free(key, found, released)}
        with in_flight.reading(key) as since:
            found = [entry for entry in self._group.delivered(key) if entry[0] in ids]
            found = in_flight.free(key, found, released)
            mine = in_flight.take(key, found, since)
        if len(mine) < len(found):
            released()  # somebody has just finished with some; acknowledged or not
        return mine

    def _took(self, stream: Stream, found: list[Entry], arrived: int, since: int) -> Batch | None:
        """New entries have been read, when so many had come."""
        with self._lock:
            when = stream.read(len(found))
            if len(found) < self._size:
                stream.exhausted(arrived)
        mine = self.engine.in_flight.take(stream.key, found, since)
        return Batch(mine, when) if mine else None

    def _run(self, batch: Batch, stream: Stream) -> bool:
        """Run the function; tells whether the batch is to be acknowledged."""
        execution = self.create(lambda: (record(stream.key, entry) for entry in batch.entries))
        if self.mode == SYNC:
            self.engine.events.run_sync(self, execution)
        else:
            execution.run()
        if execution.status == "aborted" or execution.aborting:
            return False
        return not execution.errors or self._failed(execution, stream)

    def _failed(self, execution: Execution, stream: Stream) -> bool:
        error = execution.errors[0]
        with self._lock:
            if error.startswith("PAUSE"):
                self._halt(PAUSED)
            elif any(text in error for text in _LOST):
                # Not the function's fault, and nobody knows how far it got.
                self._wait(stream, "the function lost its connection to Redis")
            elif self._policy == "abort":
                self._halt(ABORTED)
            elif self._policy == "retry":
                if self.status == OK:
                    self.status = RETRY
                    self.engine.scheduler.later(self._interval, self._retry)
            else:
                return True
            return False

    def _retry(self) -> None:
        with self._lock:
            if self.status == RETRY:
                self.status = OK
                self._look_back()

    def _acknowledge(
        self, stream: Stream, batch: Batch, more: Callable[[], bool]
    ) -> tuple[Batch | None, bool]:
        """Acknowledge a batch; in the same round trip, read the next one or look for more.

        Returns:
            The next batch, if it is here already, and whether to read another.
        """
        key, size = stream.key, self._size
        stream.done = [ident for ident, _ in batch.entries]
        commands = self._group.acknowledgement(key, stream.done, self._trim)
        with self._lock:
            again = self._due(stream) and more()
            ahead = again and not (stream.pending or stream.look)
            arrived = stream.arrived
            unknown = not (ahead or stream.arrivals) and batch.fresh and bool(stream.done)
        extra: list[Words] = []
        if ahead:
            extra = [self._group.command(key, size)]
        elif unknown:
            extra = [(b"XREVRANGE", key, b"+", b"-", b"COUNT", b"1")]
        if not commands and not extra:
            return None, again
        with self.engine.in_flight.reading(key) as since:
            replies = self._group.send([*commands, *extra])
            last, stream.done = stream.done, []
            if batch.arrived is not None:
                self._lags.lagged(batch.arrived)
            if ahead:
                try:
                    return self._took(stream, entries(replies[-1]), arrived, since), True
                except Gone:
                    return None, True  # read again, which makes a new group
        if unknown:
            self._look_at_newest(stream, replies[-1], last[-1], arrived)
        return None, again

    def _look_at_newest(self, stream: Stream, reply: Any, last: bytes, arrived: int) -> None:
        """Find out whether there are entries whose events have not come."""
        with self._lock:
            newest = reply[0][0] if type(reply) is list and reply else None
            if newest is None or stream_id(newest) <= stream_id(last.decode()):
                stream.exhausted(arrived)
            elif self._size == 1:
                stream.old = True
            else:
                self._look_later(stream)

    def _wait(self, stream: Stream, why: str) -> None:
        """Redis could not be asked: try again later, beginning with what may be pending."""
        with self._lock:
            stream.state, stream.pending = State.WAITING, True
            delay, stream.delay = stream.delay, longer(stream.delay)
        if delay == MIN_DELAY:  # the first time
            _log.warning("%s has to wait with stream %r: %s", self.id, stream.key, why)

        def go_on() -> None:
            with self._lock:
                if stream.state is State.WAITING:
                    stream.state = State.IDLE
                    self._kick(stream)

        self.engine.scheduler.later(delay, go_on)

    # -- description ----------------------------------------------------------------------------

    def data(self) -> list[Any]:
        """RegistrationData, see the base class."""
        options = self.request.options
        arguments = ["batchSize", self._size, "durationMS", options["duration"]]
        arguments += ["stream", self.pattern, "trimStream", int(self._trim)]
        arguments += ["onFailedPolicy", self._policy, "retryInterval", self._interval]
        data = ["mode", self.mode, *self.stats.counters(), *self._lags.lags()]
        return [*data, "lastError", self.stats.last_error, "args", arguments, "status", self.status]


__all__ = ["StreamRegistration", "stream_options"]
