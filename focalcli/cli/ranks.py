"""One command in several processes: `--devices N`, or whatever started them, such as torchrun."""

import signal
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from focalcli.cli.console import hush
from focalcli.cli.failures import Terminated
from focalcli.errors import Preempted

if TYPE_CHECKING:
    from focalcli.ranks.world import World

Devices = Annotated[int, typer.Option(min=1, help="Processes that share the photos, one a GPU.")]


def launched(devices: int, *, max_restarts: int = 0, preemptible: bool = False) -> bool:
    """Run this very command in so many processes; False where there is nothing to launch and the work is ours."""
    from focalcli.ranks.launch import is_worker, launch

    if devices == 1 or is_worker():
        return False
    from torch.distributed.elastic.multiprocessing.api import SignalException

    try:
        launch(sys.argv[1:], processes=devices, max_restarts=max_restarts)
    except SignalException as error:  # passed on to all processes
        end(error.sigval, preemptible=preemptible)
    return True


def found_world(device: str) -> "World | None":
    """Give the world that this process was started in, None where it is alone, without loading torch.

    Of several processes only the first one goes on talking.
    """
    from focalcli.ranks.launch import is_worker

    if not is_worker():
        return None
    from focalcli.ranks.world import this_world

    world = this_world(device)
    if not world.speaks:
        hush()
    return world


def end(number: int | None, *, preemptible: bool = False) -> NoReturn:
    """End as a signal asks: 130 for Ctrl-C, 143 for SIGTERM, 75 where that was to be expected."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    if preemptible:
        raise Preempted("training", "stopped and saved", "the same command with --resume goes on")
    raise Terminated
