"""How many cores and threads this process may take: of several ranks on a machine, each takes its share."""

import os


def cores() -> int:
    """Give the number of cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Give how many threads to compute with: OMP_NUM_THREADS, which torch obeys too, else a share of the cores.

    A launcher says in LOCAL_WORLD_SIZE how many ranks share the machine.
    """
    # OpenMP takes a list, one number for each depth of nesting, and passes over what it cannot read.
    wanted = _whole(os.environ.get("OMP_NUM_THREADS", "").partition(",")[0])
    return wanted or max(1, cores() // (_whole(os.environ.get("LOCAL_WORLD_SIZE", "")) or 1))


def _whole(text: str) -> int:
    """Give the number, 0 where there is none."""
    return int(text) if text.strip().isdecimal() else 0
