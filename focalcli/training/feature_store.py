"""What a frozen backbone says of photos, kept on disk: a file a view, memory-mapped when read.

A view's file holds C3 to C5 and the objects of one drawing of a photo, as safetensors. All files of one backbone on
one data set in one number format lie in a folder named after everything that decides their content, so nothing stale is
ever read. Files appear whole or not at all (`files.write_bytes`); several trainings and ranks may share the folder.
"""

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from focalcli.errors import CannotWrite, IoError
from focalcli.files import TEMPORARY_PREFIX, write_bytes
from focalcli.training.samples import Key

_LEVELS = ("c3", "c4", "c5")
_ABANDONED = 3600.0  # seconds after which a file that was never finished is somebody's remains
_A_FOLDER = 1000  # views


class View(NamedTuple):
    """One drawing of a photo: levels C3 to C5 (H, W, C), boxes (m, 4) in the network frame, classes (m,)."""

    levels: list[Tensor]
    boxes: np.ndarray
    classes: np.ndarray


class FeatureStore:
    """A folder of views that holds at most `limit` bytes. Picklable: workers read what the trainer writes."""

    def __init__(self, folder: Path, name: str, limit: int) -> None:
        """Keep the views called `name` in `folder`; what is there already counts, of whatever name."""
        self.folder, self.limit = folder / name, limit
        self.photos: int | None = None  # that there is room for; None for all
        _clear_remains(folder)
        self.used = _bytes_in(folder)
        self.mine = _bytes_in(self.folder)

    def holds(self, key: Key) -> bool:
        """Say whether a photo's views are to be kept."""
        return self.photos is None or key.position < self.photos

    def get_all(self, keys: Sequence[Key]) -> dict[int, View]:
        """Give the views that the store should hold, by place in `keys`; none where one is missing."""
        places = [place for place, key in enumerate(keys) if self.holds(key)]
        found = {place: view for place in places if (view := self.get(keys[place])) is not None}
        return found if len(found) == len(places) else {}

    def get(self, key: Key) -> View | None:
        """Give a view, mapped from its file, or None where it is not there or damaged."""
        try:
            with safe_open(self._path(key), framework="pt") as file:
                levels = [file.get_tensor(name) for name in _LEVELS]
                return View(levels, file.get_tensor("boxes").numpy(), file.get_tensor("classes").numpy())
        except (OSError, SafetensorError):
            return None

    def read_ahead(self, keys: Sequence[Key]) -> None:
        """Ask the system to fetch these views from the disk, without waiting for it; where it can be asked."""
        if not hasattr(os, "posix_fadvise"):
            return
        for key in keys:
            with contextlib.suppress(OSError), open(self._path(key), "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)

    def put(self, key: Key, view: View) -> bool:
        """Keep a view if there is room for it, and say so; where the disk is full, keep no more."""
        tensors = {name: level.cpu().contiguous() for name, level in zip(_LEVELS, view.levels, strict=True)}
        objects = {"boxes": torch.from_numpy(view.boxes), "classes": torch.from_numpy(view.classes)}
        content = serialise({**tensors, **objects})
        if self.used + len(content) > self.limit:
            return False
        try:
            write_bytes(self._path(key), content)
        except (IoError, CannotWrite):
            self.limit = 0
            return False
        self.used += len(content)
        return True

    def _path(self, key: Key) -> Path:
        return self.folder / str(key.draw) / str(key.position // _A_FOLDER) / f"{key.position}.safetensors"


def _bytes_in(folder: Path) -> int:
    """Give the size of all files under a folder."""
    return sum(_size(Path(root, name)) for root, _, names in os.walk(folder) for name in names)


def _clear_remains(folder: Path) -> None:
    """Remove files that a killed training did not finish."""
    for path in sorted(folder.rglob(f"{TEMPORARY_PREFIX}*")):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink()


def _size(path: Path) -> int:
    """Give a file's size; 0 where another process has just removed it."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
