"""Stopping politely: the first SIGTERM or SIGINT asks, the training stops after the step, the second SIGINT insists."""

import signal
import time
from types import FrameType, TracebackType
from typing import Self

# A terminal and a launcher may both pass on one Ctrl-C: within this many seconds they are the same one.
_ONE_GESTURE = 0.5


class StopRequest:
    """Within the block, remembers the first signal that asks to stop; handlers are put back at the end."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._asked_at = 0.0
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def __call__(self) -> bool:
        """Say whether a stop was asked for."""
        return self.signal is not None

    def _ask(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.signal is None:
            self.signal, self._asked_at = number, now
        elif number == signal.SIGINT and now - self._asked_at > _ONE_GESTURE:
            raise KeyboardInterrupt
