"""Results that come later: coroutines, gearsFutures, and runs within functions.

All coroutines share one event loop in a thread of its own.  A step that gets such a result waits
for it on the spot, while the pool puts another thread in its place; so records keep their order
and waiting executions do not hold up others.
"""

from __future__ import annotations

import asyncio
import threading
import types
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

from .context import Context, Shield, check, current, set_current
from .errors import GearsError, PlainError
from .pipeline import PENDING

if TYPE_CHECKING:
    from .core import Engine

POLL_SECONDS = 0.05
"""How often a waiting thread looks up, so that an abort reaches it."""


class GearsFuture:
    """A result of a step that any thread may supply later (``gearsFuture()``)."""

    def __init__(self) -> None:
        self.result: Future[Any] = Future()

    def continueRun(self, value: Any = None) -> None:
        """Go on with this value as what the step returned.

        Raises:
            GearsError: The future was used before.
        """
        self._settle(lambda: self.result.set_result(value))

    def continueFailed(self, error: Any = None) -> None:
        """Go on as if the step had failed with this message.

        Raises:
            GearsError: The future was used before.
        """
        self._settle(lambda: self.result.set_exception(PlainError(str(error))))

    def _settle(self, action: Callable[[], None]) -> None:
        if self.result.done():
            raise GearsError("Can not continue with the same future twice")
        action()


PENDING.add(GearsFuture)


class RunFuture:
    """What ``run()`` returns within a function: ``await`` gives ``[results, errors]``."""

    def __init__(self, result: Future[Any] | None) -> None:
        self._result = result

    def __await__(self) -> Generator[Any, None, Any]:
        if self._result is None:
            raise GearsError("the results of a script's run are for its client")
        return asyncio.wrap_future(self._result).__await__()


@types.coroutine
def _guided(coroutine: Coroutine[Any, Any, Any], context: Context) -> Generator[Any, Any, Any]:
    """Drive a coroutine so that each of its parts runs within the session's context."""
    value: Any = None
    error: BaseException | None = None
    while True:
        before = set_current(context)
        try:
            awaited = coroutine.throw(error) if error is not None else coroutine.send(value)
        except StopIteration as end:
            return end.value
        finally:
            set_current(before)
        value = error = None
        if context.atomic:
            error = Exception("await is not allow inside atomic block")
            continue
        try:
            value = yield awaited
        except BaseException as raised:
            error = raised


class Futures:
    """The event loop and what waits on it.

    Args:
        engine: The engine whose functions these are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop; its thread starts with the first use."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name="redgrease-loop", daemon=True
                ).start()
            return self._loop

    def close(self) -> None:
        """Stop the loop."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)

    def unavailable(self) -> RunFuture:
        """What ``run()`` returns in a script."""
        return RunFuture(None)

    def start(self, coroutine: Coroutine[Any, Any, Any], context: Context) -> Future[Any]:
        """Run a coroutine on the loop, within a context."""

        async def guided() -> Any:
            return await _guided(coroutine, context)

        return asyncio.run_coroutine_threadsafe(guided(), self.loop)

    def wait(self, pending: Any) -> Any:
        """The value of a result that is to come; the current thread waits for it.

        Raises:
            PlainError: It is an error; only its message is reported.
        """
        context = current()
        assert context is not None
        if isinstance(pending, GearsFuture):
            result = pending.result
        else:
            session, execution = context.session, context.execution
            inner = Context(session, execution=execution, coroutine=True)
            result = self.start(pending, inner)
        with Shield(), self._engine.pool.replaced():
            try:
                while not result.done():
                    wait([result], POLL_SECONDS)
                    check()
            finally:
                result.cancel()
        error = result.exception()
        if error is not None:
            raise PlainError(str(error))
        return result.result()

    # -- for scripts ----------------------------------------------------------------------------

    def create(self) -> asyncio.Future[Any]:
        """``createFuture()``: a future of the loop."""
        return self.loop.create_future()

    def set_result(self, future: asyncio.Future[Any], result: Any) -> None:
        """``setFutureResults(future, result)``, from any thread."""
        self.loop.call_soon_threadsafe(future.set_result, result)

    def set_exception(self, future: asyncio.Future[Any], error: BaseException) -> None:
        """``setFutureException(future, error)``, from any thread."""
        self.loop.call_soon_threadsafe(future.set_exception, error)

    def run_coroutine(
        self, coroutine: Coroutine[Any, Any, Any], delay: float, context: Context
    ) -> Future[Any]:
        """``runCoroutine(coroutine, delay=0)``."""

        async def delayed() -> Any:
            if delay:
                await asyncio.sleep(delay)
            return await _guided(coroutine, context)

        return asyncio.run_coroutine_threadsafe(delayed(), self.loop)
