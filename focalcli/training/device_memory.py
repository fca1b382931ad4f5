"""What memory a device has to give, and how much of it this process has taken at most."""

import os
import resource
import sys
from pathlib import Path

import torch

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container, v2 and v1


def available_memory(device: torch.device) -> int:
    """Give the bytes that this process can have in all: those it holds, and those that are free."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) + torch.cuda.memory_reserved(device)
    free = _status("/proc/meminfo", "MemAvailable:")
    if free is None:  # not Linux: all that the machine has
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [int(text) for path in _LIMITS if (text := _read(path).strip()).isdecimal()]
    return min([free + held_memory(), *limits])


def peak_memory(device: torch.device) -> int:
    """Give the most bytes that this process has held so far: of the GPU's memory, else in all."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Of a process that another has started, `ru_maxrss` may be the other's.
    peak = _status("/proc/self/status", "VmHWM:")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak or (own if sys.platform == "darwin" else own * 1024)


def held_memory() -> int:
    """Give the bytes of the machine's memory that this process holds now; where that is not known, its peak."""
    return _status("/proc/self/status", "VmRSS:") or peak_memory(torch.device("cpu"))


def in_words(count: int) -> str:
    """Give a number of bytes as people say it.

    >>> in_words(640 << 20), in_words(3 << 29)
    ('640 MiB', '1.5 GiB')
    """
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _status(path: str, name: str) -> int | None:
    """Give the bytes of a line `name: 123 kB`; None where there is none."""
    lines = (line.split() for line in _read(path).splitlines() if line.startswith(name))
    return next((int(words[1]) * 1024 for words in lines), None)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
