"""One rank of a step over several processes; started by torchrun's environment, writes the gradient it ends with."""

import json
import sys
from pathlib import Path

import torch

from focalcli.ranks.world import this_world
from tests.training.test_step import run


def main(splits: list[list[list[int]]], out: Path) -> None:
    """Take one step on this rank's part of the photos."""
    world = this_world("cpu")
    done, gradient = run(*splits[world.rank], world=world)
    torch.save({"gradient": gradient, "total": done.total, "positives": done.positives}, out / f"{world.rank}.pt")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]))
