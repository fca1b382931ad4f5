"""Several processes for one command: torch's own elastic launcher, started from within the program.

Each process runs the same command line again and finds its place in the environment, exactly as under `torchrun`:

    focalcli train data --devices 2
    torchrun --standalone --nproc-per-node 2 --no-python focalcli train data
"""

import os
import sys

from focalcli.errors import FocalError, GateFailed
from focalcli.ranks.cores import cores

# Says in a rank's environment which process launched it.
LAUNCHER = "RANKS_LAUNCHER_PID"

# Ends after which there is nothing to add: a limit was not met, nobody reads the results any more.
_SAID = (GateFailed.exit_code, 141)


class WorkerFailed(FocalError):
    """A process of the command ended badly and said why itself; the launcher ends with its exit code."""

    code = "worker"


def is_worker() -> bool:
    """Say whether a launcher has started this process."""
    return "RANK" in os.environ


def launch(arguments: list[str], *, processes: int, max_restarts: int = 0) -> None:
    """Run `focalcli ARGUMENTS` in so many processes and wait for them.

    Raises:
        SystemExit: a limit was not met, or nobody reads the results any more.
        WorkerFailed: a process failed; the others were ended.
        SignalException: this process was asked to stop, and passed that on.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # any free port
        max_restarts=max_restarts,
        monitor_interval=0.2,
    )
    os.environ[LAUNCHER] = str(os.getpid())
    os.environ.setdefault("OMP_NUM_THREADS", str(max(cores() // processes, 1)))
    try:
        elastic_launch(config, sys.executable)("-m", "focalcli", *arguments)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode in _SAID:
            raise SystemExit(failure.exitcode) from None
        how = f"signal {-failure.exitcode}" if failure.exitcode < 0 else f"exit code {failure.exitcode}"
        failed = WorkerFailed(f"rank {rank}", f"ended with {how}, so the others were ended too")
        failed.exit_code = failure.exitcode if failure.exitcode > 0 else 70  # type: ignore[misc]
        raise failed from None
