"""What can befall a step from outside: memory runs out, a loader process dies or hangs, a compiler is missing.

Nothing is lost: the state before the step is saved, and the error says what to do, with the numbers.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from focalcli.errors import FocalError, IoError, Unavailable, is_out_of_memory
from focalcli.train_config import TrainConfig
from focalcli.training.memory import Memory, remedy
from focalcli.training.prepare import Plan
from focalcli.training.whereabouts import Whereabouts

# Messages of torch's loader, and of its patience.
_DEAD = re.compile(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)")
_HUNG = "DataLoader timed out"


def explained(
    error: BaseException, plan: Plan, whereabouts: Whereabouts, memory: Callable[[int], Memory]
) -> FocalError | None:
    """Give what a user can do about an error; None for one of another kind. Ends loader processes that hang."""
    text = str(error)
    if is_out_of_memory(error):
        return out_of_memory(text, plan.config, memory)
    if any(kind.__name__ == "TorchDynamoException" for kind in type(error).__mro__):  # whose module is slow to load
        line = next(iter(text.splitlines()), "failed")
        return Unavailable("--compile", line, "install a C++ compiler such as g++, or leave --compile out")
    dead = _DEAD.search(text)
    if not (dead or _HUNG in text):
        return None
    pids = [int(pid) for pid in dead[1].split(",")] if dead else []
    names = [plan.train.images[position].key for position in whereabouts.of(pids)]
    among = f" while it read {', '.join(names[:8])}" if names else ""
    if dead:
        return IoError("loader", f"a process was killed{among}", "fewer --workers need less memory")
    whereabouts.end()
    fact = f"gave nothing for {plan.config.loader_timeout:g} s{among}"
    return IoError("loader", fact, "look at these photos and their disk, or raise --loader-timeout")


def out_of_memory(detail: str, config: TrainConfig, memory: Callable[[int], Memory]) -> FocalError:
    """Say that a step did not fit, what was to be expected, and which flags make the same step of smaller parts."""
    line = next(iter(detail.splitlines()), "does not fit")
    fact = f"{memory(config.photos)} ({line})"
    return Unavailable("memory", fact, remedy(config, memory, most=config.photos // 2))


@contextmanager
def saved_if_it_fails(
    save: Callable[[], None], plan: Plan, whereabouts: Whereabouts, memory: Callable[[int], Memory]
) -> Iterator[None]:
    """Save the state when the block fails, which must not have moved the weights then; say what can be done.

    `memory` gives what batches of so many photos need.
    """
    try:
        yield
    except (FocalError, RuntimeError, MemoryError) as error:
        save()
        known = explained(error, plan, whereabouts, memory)
        if known is None:
            raise
        raise known from error
