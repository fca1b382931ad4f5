"""What each loader process is reading, so that the end of one can be told with the photos that it may be due to."""

import os
import signal
from contextlib import suppress

import torch


class Whereabouts:
    """Which photos each loader process is reading, in memory that all of them share."""

    def __init__(self, workers: int, batch: int) -> None:
        """Make room for the positions of a batch a process."""
        self._pids = torch.zeros(workers, dtype=torch.long).share_memory_()
        self._positions = torch.full((workers, batch), -1).share_memory_()

    def reads(self, worker: int, positions: list[int]) -> None:
        """Say, in loader process number `worker`, which photos it begins to read."""
        self._pids[worker] = os.getpid()
        self._positions[worker] = -1
        self._positions[worker, : len(positions)] = torch.tensor(positions, dtype=torch.long)

    def end(self) -> None:
        """End the loader processes, which do not listen to SIGTERM, so that none that hangs is waited for."""
        with suppress(ValueError):  # not the main thread, which alone handles signals
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler would raise at their end
        for pid in filter(None, self._pids.tolist()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def of(self, pids: list[int]) -> list[int]:
        """Give the positions of the photos that these processes were reading; of all processes where none is named."""
        chosen = [i for i, pid in enumerate(self._pids.tolist()) if not pids or pid in pids]
        return [position for i in chosen for position in self._positions[i].tolist() if position >= 0]
