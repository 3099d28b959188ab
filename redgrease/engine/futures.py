"""Results that come later: coroutines, gearsFutures, and runs within functions.

All coroutines share one event loop in a thread of its own.  A thread whose execution waits for
such a result is replaced in the pool, so waiting executions do not hold up others.
"""

from __future__ import annotations

import asyncio
import threading
import types
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .context import Context, Guard, Shield, check, current, set_current, set_guard
from .errors import GearsError
from .pending import OUTSIDE, GearsFuture, Pending
from .pipeline import PENDING

if TYPE_CHECKING:
    from .core import Engine
    from .executions import Execution

NOT_ALLOWED = "Creating async record is not allowed"
IN_ATOMIC = "await is not allow inside atomic block"
CANCELLED = "the coroutine was cancelled"
PENDING.add(GearsFuture)


class RunFuture:
    """What ``run()`` returns within a function: ``await`` gives ``[results, errors]``."""

    def __init__(self, result: Future[Any] | None) -> None:
        self._result = result

    def __await__(self) -> Generator[Any, None, Any]:
        if self._result is None:
            raise GearsError("the results of a script's run are for its client")
        return asyncio.wrap_future(self._result).__await__()


class Futures:
    """The event loop and what waits on it.

    Args:
        engine: The engine whose functions these are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._guard: Guard | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop; its thread starts with the first use."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._serve, args=(self._loop,), name="redgrease-loop", daemon=True
                ).start()
            return self._loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        self._guard = Guard()
        set_guard(self._guard)
        loop.run_forever()

    def close(self) -> None:
        """Stop the loop."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)

    def unavailable(self) -> RunFuture:
        """What ``run()`` returns in a script."""
        return RunFuture(None)

    # -- coroutines -----------------------------------------------------------------------------

    @types.coroutine
    def _guided(
        self, coroutine: Coroutine[Any, Any, Any], context: Context
    ) -> Generator[Any, Any, Any]:
        """Drive a coroutine so that each of its parts runs within the session's context."""
        guard = self._guard
        assert guard is not None
        value: Any = None
        error: BaseException | None = None
        while True:
            before = set_current(context)
            guard.execution = context.execution
            try:
                guard.depth = 0
                awaited = coroutine.throw(error) if error is not None else coroutine.send(value)
            except StopIteration as end:
                guard.depth = 1
                return end.value
            finally:
                guard.depth = 1
                guard.execution = None
                set_current(before)
            value = error = None
            if context.atomic:
                error = Exception(IN_ATOMIC)
                continue
            try:
                value = yield awaited
            except BaseException as raised:
                error = raised

    def start(
        self,
        coroutine: Coroutine[Any, Any, Any],
        context: Context,
        delay: float = 0,
        then: Callable[[Any, str | None], object] | None = None,
    ) -> Pending:
        """Run a coroutine on the loop, within a context.

        Args:
            coroutine: The coroutine.
            context: The context.
            delay: Seconds before it begins.
            then: Gets its result, and its error if it is one.
        """
        loop, pending = self.loop, Pending()
        pending.coroutine = True

        async def guided() -> None:
            value, error = None, None
            try:
                if delay > 0:
                    await asyncio.sleep(delay)
                value = await self._guided(coroutine, context)
            except BaseException as raised:
                error = _message(raised)
            pending.settle(value, error)
            if then is not None:
                then(value, error)

        def ended(_: object) -> None:
            coroutine.close()  # a task that is cancelled early does not even begin
            pending.settle(None, CANCELLED)

        def begin() -> None:
            pending.task = loop.create_task(guided())
            pending.task.add_done_callback(ended)

        loop.call_soon_threadsafe(begin)
        return pending

    def interrupt(self, execution: Execution) -> None:
        """An execution is being aborted: interrupt the part of its coroutines that runs now."""
        guard = self._guard
        if guard is not None and guard.execution is execution:
            guard.interrupt(execution)

    # -- results of steps -----------------------------------------------------------------------

    def created(self) -> GearsFuture:
        """``gearsFuture()``.

        Raises:
            GearsError: The step does not support it, or has made one already.
        """
        context = current()
        if context is None or context.execution is None or context.coroutine:
            raise GearsError(OUTSIDE)
        if not context.may_wait:
            raise GearsError(NOT_ALLOWED)
        return context.execution.maker.make()

    def adopt(self, result: Any) -> Pending:
        """Take what a step has returned in place of its result.

        Raises:
            GearsError: The execution may not wait.
        """
        context = current()
        assert context is not None and context.execution is not None
        execution = context.execution
        with Shield():
            execution.maker.forget()
            if isinstance(result, GearsFuture):
                pending = result.returned()
            elif not context.may_wait:
                result.close()
                raise GearsError(NOT_ALLOWED)
            else:
                inner = replace(context, coroutine=True, atomic=0, muted=frozenset(), suspend=None)
                pending = self.start(result, inner)
            execution.pending.add(pending)
        return pending

    def wait(self, pending: Pending) -> Any:
        """The value of a result that is to come; the current thread waits for it.

        Raises:
            PlainError: It is an error; only its message is reported.
        """
        context = current()
        assert context is not None and context.execution is not None
        with Shield():
            if not pending.done:
                resume = context.suspend() if context.suspend is not None else None
                try:
                    with self._engine.pool.replaced():
                        while not pending.done:
                            pending.listen()
                            check()
                finally:
                    if resume is not None:
                        resume()
            context.execution.pending.discard(pending)
        return pending.result()

    def forget(self, execution: Execution) -> None:
        """An execution ends without having waited for all of its results.

        If it is being aborted, its coroutines end first.
        """
        left, execution.pending = execution.pending, set()
        if not execution.aborting:
            return
        running = [pending for pending in left if not pending.done and pending.coroutine]
        with self._engine.pool.replaced():
            for pending in running:
                self.loop.call_soon_threadsafe(_cancel, pending)
            execution.pending = set(running)
            for pending in running:
                while not pending.done:
                    pending.listen()
            execution.pending = set()

    # -- for scripts ----------------------------------------------------------------------------

    def create(self) -> asyncio.Future[Any]:
        """``createFuture()``: a future of the loop."""
        return self.loop.create_future()

    def set_result(self, future: asyncio.Future[Any], result: Any) -> None:
        """``setFutureResults(future, result)``, from any thread."""
        self.loop.call_soon_threadsafe(_unless_done, future, future.set_result, result)

    def set_exception(self, future: asyncio.Future[Any], error: Any) -> None:
        """``setFutureException(future, error)``, from any thread; a text is an error, too."""
        if isinstance(error, StopIteration):  # which futures do not take, or not as it is
            error = Exception(str(error))
        self.loop.call_soon_threadsafe(_unless_done, future, future.set_exception, error)


def _cancel(pending: Pending) -> None:
    if pending.task is not None:
        pending.task.cancel()


def _unless_done(future: asyncio.Future[Any], settle: Callable[[Any], None], value: Any) -> None:
    if not future.done():
        try:
            settle(value)
        except TypeError:  # no exception; without it whoever waits would wait for ever
            future.set_exception(Exception(str(value)))


def _message(error: BaseException) -> str:
    """The message of an error, even of one that cannot tell it."""
    try:
        return str(error)
    except Exception:
        return type(error).__name__
