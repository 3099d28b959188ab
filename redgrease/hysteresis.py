"""Timers that wait until something has been quiet for a while."""

import threading
from typing import Any, Callable, Dict, Hashable, Optional, Tuple

__all__ = ["HysteresisHandlerIndex", "ResettableTimer", "nop"]


def nop(*args: Any, **kwargs: Any) -> None:
    """Do nothing."""


class ResettableTimer:
    """Calls a handler once, some time after it was set last.

    Attributes:
        timer: The timer that is running; None if none is.
        handler: What will be called.
        handler_args: Its arguments.
        handler_kwargs: Its arguments by name.
    """

    def __init__(self) -> None:
        self.timer: Optional[threading.Timer] = None
        self.handler: Callable[..., Any] = nop
        self.handler_args: Tuple[Any, ...] = ()
        self.handler_kwargs: Dict[str, Any] = {}
        self._lock = threading.Lock()

    def set(
        self, timeout: Optional[float], handler: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        """Start to wait, anew if it waits already.

        Args:
            timeout: How many seconds; 1 if there is none.
            handler: What to call then, on a thread of its own.
            args: Its arguments.
            kwargs: Its arguments by name.
        """
        with self._lock:
            self._cancel()
            self.handler, self.handler_args, self.handler_kwargs = handler, args, kwargs
            self.timer = threading.Timer(timeout or 1.0, handler, args, kwargs)
            self.timer.daemon = True
            self.timer.start()

    def cancel(self) -> None:
        """Wait no longer; the handler is not called."""
        with self._lock:
            self._cancel()

    def _cancel(self) -> None:
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.cancel()

    def trigger(self) -> None:
        """Wait no longer, but call the handler at once."""
        self.cancel()
        self.handler(*self.handler_args, **self.handler_kwargs)

    def __del__(self) -> None:
        timer = getattr(self, "timer", None)
        if timer is not None:
            timer.cancel()


class HysteresisHandlerIndex:
    """Calls a handler when what it is for has been quiet for a while.

    Args:
        hysteresis_duration: How many seconds.
    """

    def __init__(self, hysteresis_duration: float = 1.0) -> None:
        self.hysteresis_duration = hysteresis_duration
        self.index: Dict[Hashable, ResettableTimer] = {}
        self._lock = threading.Lock()

    def signal(
        self, handler_id: Hashable, handler_function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        """Note that something has happened.

        Args:
            handler_id: What it has happened to.
            handler_function: What to call when nothing more happens to it; of several signals,
                only the last one's function and arguments are used.
            args: The arguments.
            kwargs: The arguments by name.
        """
        with self._lock:
            timer = self.index.setdefault(handler_id, ResettableTimer())
        timer.set(self.hysteresis_duration, handler_function, *args, **kwargs)

    def cancel(self) -> None:
        """Forget all signals."""
        with self._lock:
            timers, self.index = list(self.index.values()), {}
        for timer in timers:
            timer.cancel()
