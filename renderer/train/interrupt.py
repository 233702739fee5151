"""Ctrl-C at a moment of our choosing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(KeyboardInterrupt):
    """The user (SIGINT) or the system (SIGTERM) asked to stop, and the state has been saved."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def deferred_signals() -> Iterator[Callable[[], int]]:
    """Hold SIGINT and SIGTERM back inside the block; call the value to learn which one came (0: none).

    A second signal interrupts at once. Outside the main thread, where Python delivers no signals, nothing changes.

    >>> with deferred_signals() as signalled:
    ...     signalled()
    0
    """
    received = 0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received = number
        for name, handler in previous.items():
            signal.signal(name, handler)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    previous = {name: signal.signal(name, note) or signal.SIG_DFL for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: received
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)
