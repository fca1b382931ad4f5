"""The ranks that work together. One process is a world of one; torchrun's environment makes a larger one.

With `launch`, the only module that reads the environment. Everything else asks `World`.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from focalcli.detection.devices import pick_device
from focalcli.errors import ConfigError
from focalcli.ranks.launch import LAUNCHER

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class World:
    """This process's place: `rank` of `size`, and the device it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def speaks(self) -> bool:
        """Say whether this rank talks and writes; only rank 0 does."""
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """Give the sum of a tensor over all ranks, in place; every rank must call it."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def any(self, mine: bool) -> bool:
        """Say whether it is so on any rank; every rank must call it, and all get the same answer."""
        if self.size == 1:
            return mine
        return bool(self.sum(torch.tensor(int(mine), device=self.device)).item())

    def gather(self, mine: T) -> list[T]:
        """Give what every rank has, in the order of ranks; every rank must call it."""
        if self.size == 1:
            return [mine]
        everything: list[Any] = [None] * self.size
        dist.all_gather_object(everything, mine)
        return everything

    def from_first(self, make: Callable[[], T]) -> T:
        """Give what `make` gives on rank 0, to all ranks; every rank must call it, only rank 0 runs `make`."""
        made = make() if self.speaks else None
        if self.size == 1:
            return made  # type: ignore[return-value]
        box: list[Any] = [made]
        dist.broadcast_object_list(box, src=0)
        result: T = box[0]
        return result


def this_world(device: str = "auto") -> World:
    """Give the world that the environment describes (RANK, WORLD_SIZE, LOCAL_RANK), or a world of one.

    Raises:
        ConfigError: the environment names one of them and not the others.
        Unavailable: the device is not there.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    values = [os.environ.get(name) for name in names]
    if not any(values):
        return World(0, 1, pick_device(device))
    if not all(value is not None and value.isdigit() for value in values):
        told = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        raise ConfigError("environment", f"a world half described ({told})", "start with torchrun, or unset all three")
    rank, size, local = (int(value or 0) for value in values)
    chosen = pick_device(device)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", local)
        torch.cuda.set_device(chosen)
    _end_with_parent()
    if size > 1 and not dist.is_initialized():
        # Objects travel by gloo, so that gathering them asks nothing of the GPUs.
        dist.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo")
    return World(rank, size, chosen)


def _end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the launcher dies, however: ranks are in sessions of their own. Linux only.

    Raises:
        SystemExit: it has died already, while this rank imported and read.
    """
    if sys.platform.startswith("linux"):
        parent_death_signal = 1  # sys/prctl.h: PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGTERM)
    launcher = os.environ.get(LAUNCHER)
    if launcher is not None and launcher != str(os.getppid()):
        raise SystemExit(128 + signal.SIGTERM)
