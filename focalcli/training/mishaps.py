"""What can befall a step from outside: memory that runs out, a loader process that dies or hangs. Nothing is lost.

The state before the step is saved, and the error says what to do, with the numbers.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from focalcli.dataset.types import Dataset
from focalcli.errors import FocalError, IoError, Unavailable
from focalcli.train_config import TrainConfig
from focalcli.training.prepare import Plan
from focalcli.training.whereabouts import Whereabouts

# A message of torch's CPU allocator, of its loader, and of its loader's patience.
_ALLOCATOR = "DefaultCPUAllocator: can't allocate memory"
_DEAD = re.compile(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)")
_HUNG = "DataLoader timed out"


def explained(
    error: BaseException, config: TrainConfig, dataset: Dataset, whereabouts: Whereabouts
) -> FocalError | None:
    """Give what a user can do about an error; None for one of another kind. Ends loader processes that hang."""
    text = str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or _ALLOCATOR in text:
        return out_of_memory(text, config)
    dead = _DEAD.search(text)
    if not (dead or _HUNG in text):
        return None
    pids = [int(pid) for pid in dead[1].split(",")] if dead else []
    names = [dataset.images[position].key for position in whereabouts.of(pids)]
    among = f" while it read {', '.join(names[:8])}" if names else ""
    if dead:
        return IoError("loader", f"a process was killed{among}", "fewer --workers need less memory")
    whereabouts.end()
    fact = f"gave nothing for {config.loader_timeout:g} s{among}"
    return IoError("loader", fact, "look at these photos and their disk, or raise --loader-timeout")


def out_of_memory(detail: str, config: TrainConfig) -> FocalError:
    """Say that a step did not fit, and which flags make the same step of smaller parts."""
    line = next(iter(detail.splitlines()), "")
    fact = f"a step with {config.batch} photos does not fit" + (f" ({line})" if line else "")
    if config.batch == 1:
        return Unavailable("memory", fact, "use a smaller --min-size or --preset")
    photos = config.batch * config.accumulate
    part = next(size for size in range(max(config.batch // 2, 1), 0, -1) if photos % size == 0)
    remedy = f"--batch {part} --accumulate {photos // part} takes the same steps in less of it, with --resume too"
    return Unavailable("memory", fact, remedy)


@contextmanager
def saved_if_it_fails(save: Callable[[], None], plan: Plan, whereabouts: Whereabouts) -> Iterator[None]:
    """Save the state when the block fails, which must not have moved the weights then; say what can be done."""
    try:
        yield
    except (FocalError, RuntimeError, MemoryError) as error:
        known = explained(error, plan.config, plan.train, whereabouts)
        save()
        if known is None:
            raise
        raise known from error
