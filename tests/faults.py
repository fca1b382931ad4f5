"""Faults that tests make happen: a disk that is full, a process that is killed."""

import os
import resource
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def no_file_over(limit: int) -> Iterator[None]:
    """Let every longer file fail in the middle, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))  # Python ignores SIGXFSZ
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def children(pid: int) -> list[int]:
    """Give the processes that a process has started and that still run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill_all(pid: int) -> None:
    """Kill a process and all below it, the lowest first, and none of them may clean up."""
    with suppress(OSError):  # it has ended by itself
        for child in children(pid):
            kill_all(child)
        os.kill(pid, signal.SIGKILL)


def ended(pids: list[int], *, within: float) -> bool:
    """Wait until processes that need not be ours have ended; False where one still runs after so many seconds."""
    for pid in pids:
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            try:
                if not select.select([descriptor], [], [], within)[0]:
                    return False
            finally:
                os.close(descriptor)
    return True
