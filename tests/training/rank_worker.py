"""One rank of steps over several processes; started by torchrun's environment, writes the gradient each ends with."""

import json
import sys
from pathlib import Path

import torch

from focalcli.ranks.world import this_world
from tests.training.test_step import run


def main(steps: dict[str, list[list[list[int]]]], out: Path) -> None:
    """Take steps, each with another model, on this rank's part of the photos."""
    world = this_world("cpu")
    for name, splits in steps.items():
        done, gradient = run(*splits[world.rank], world=world)
        found = {"gradient": gradient, "total": done.total, "positives": done.positives}
        torch.save(found, out / f"{name}-{world.rank}.pt")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]))
