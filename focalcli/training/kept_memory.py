"""Holds a training on a CPU to the memory that was expected of it.

Freed memory is kept for the next step (`devices.keep_memory`), but small blocks settle beside large ones, and glibc
cannot put an aligned block where one of the same size has been: what is held grows for hundreds of steps. On BCCD with
the defaults and in float32 1.5 GiB were held after 10 steps, 1.9 after 120 and 2.3 after 438. Giving the gaps back
takes 0.05 s, and the next steps fault in anew what they need. (Without glibc's caches for small blocks nothing grows,
but only the environment can switch those off: GLIBC_TUNABLES=glibc.malloc.tcache_count=0, 64 steps of photos of many
shapes 1,236 MiB instead of 1,777.)
"""

from dataclasses import dataclass

import torch

from focalcli.detection.devices import free_memory
from focalcli.training.device_memory import held_memory

_SELDOM = 50  # steps between giving back; a training that needs it more often is given a tenth more


@dataclass
class KeptMemory:
    """What a training may hold, in bytes; `look` after each step gives back what is kept, where it is more."""

    limit: float
    device: torch.device
    _steps: int = 0

    def look(self) -> None:
        """Give freed memory back to the kernel if too much is held."""
        self._steps += 1
        if self.device.type != "cpu" or held_memory() <= self.limit:
            return
        free_memory()
        if self._steps < _SELDOM:
            self.limit *= 1.1
        self._steps = 0
