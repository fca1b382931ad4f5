"""Write a data set in another format: losses first, then one folder or file, moved into place when it is whole."""

import os
import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from focalcli import files
from focalcli.dataset.edit import drop_flagged
from focalcli.dataset.features import Feature
from focalcli.dataset.formats import table
from focalcli.dataset.losses import CROWD_FLAGS, LEVELS, losses
from focalcli.dataset.sink import Loss, Sink, Transfer
from focalcli.dataset.types import Dataset
from focalcli.errors import CannotWrite, IoError, UsageError

CrowdPolicy = Literal["keep", "drop", "error"]


@dataclass(frozen=True, slots=True)
class Report:
    """What a conversion did, or with `dry_run` would do."""

    destination: str
    format: str
    title: str
    images: int
    boxes: int
    classes: int
    splits: tuple[str, ...]
    files: int
    losses: tuple[Loss, ...]
    renamed: dict[str, str] = field(default_factory=dict)
    dry_run: bool = False


def convert(
    dataset: Dataset,
    destination: Path,
    *,
    to: str,
    transfer: Transfer = "copy",
    crowd: CrowdPolicy = "error",
    allow_lossy: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Report:
    """Write `dataset` at `destination`: a folder, or one file where its suffix is the format's own.

    `crowd` says what becomes of crowd, group and ignore regions where the target cannot mark them.

    Raises:
        UsageError: the format is unknown or only read, or a loss changes what is trained or measured and was not
            allowed.
        CannotWrite: the destination exists, holds the source, or lies within it.
        DataError: an image has a name that must not be written.
        IoError: the disk is full or failed.
    """
    target = table.load(to)
    if not target.INFO.can_write:
        raise UsageError("format", f"{target.INFO.title} can be read but not written", "choose another --to")
    if crowd == "drop":
        dataset = drop_flagged(dataset, CROWD_FLAGS)
    single = bool(target.INFO.file_suffix) and destination.suffix.lower() == target.INFO.file_suffix
    known = [_softened(loss) if crowd == "keep" else loss for loss in losses(dataset, target.INFO.carries)]
    _gate(known, target.INFO.title, allow_lossy)
    _refuse_overlap(dataset, destination)
    if transfer == "copy" and not single:
        _check_room(dataset, destination)
    with ExitStack() as stack:
        place = None if dry_run else stack.enter_context(_temporary(destination, single=single, overwrite=overwrite))
        sink = Sink(place, destination, "none" if single else transfer, single=single)
        target.write(dataset, sink)
        _gate(sink.losses, target.INFO.title, allow_lossy)
    return Report(
        str(destination),
        target.INFO.name,
        target.INFO.title,
        len(dataset.images),
        len(dataset.boxes),
        len(dataset.categories),
        dataset.splits,
        len(sink.written),
        (*known, *sink.losses),
        sink.renamed,
        dry_run,
    )


def _temporary(destination: Path, *, single: bool, overwrite: bool) -> AbstractContextManager[Path]:
    """Give where to write: a file or folder that moves to `destination` when all is done."""
    if not single:
        return files.replacing_folder(destination, overwrite=overwrite)
    if os.path.exists(destination) and not overwrite:
        raise CannotWrite(destination, "exists", "name another file or add --overwrite")
    return files.replacing(destination)


def _refuse_overlap(dataset: Dataset, destination: Path) -> None:
    """Keep the source as it is: nothing is written into it or over it."""
    paths = dataset.info.get("paths", (dataset.info.get("path"),))
    for read_from in paths if isinstance(paths, tuple) else ():
        if not isinstance(read_from, str):
            continue
        source, target = Path(read_from).resolve(), destination.resolve()
        if target == source or target in source.parents:
            raise CannotWrite(destination, f"holds the source {read_from}", "choose another destination")
        if os.path.isdir(source) and source in target.parents:
            raise CannotWrite(destination, f"lies inside the source {read_from}", "choose a destination outside")


def _check_room(dataset: Dataset, destination: Path) -> None:
    """Refuse to begin copying photos that the disk cannot hold.

    Raises:
        IoError: too little space; how much is needed is said.
    """
    folder = next(parent for parent in destination.absolute().parents if os.path.isdir(parent))
    photos = {image.path for image in dataset.images if image.path is not None}
    needed, free = sum(path.stat().st_size for path in photos if path.is_file()), shutil.disk_usage(folder).free
    if needed > free:
        fact = f"the photos need {needed:,} bytes, {free:,} are free"
        raise IoError(destination, fact, "free some, or use --images link, symlink or none")


def _gate(found: Iterable[Loss], title: str, allow_lossy: bool) -> None:
    """Refuse losses that change what is trained or measured."""
    high = [loss for loss in found if loss.level == "high"]
    if high and not allow_lossy:
        crowd = (
            " choose --crowd keep or drop, or" if any(loss.what == LEVELS[Feature.CROWD][1] for loss in high) else ""
        )
        fact = "; ".join(f"{loss.what} ({loss.count})" for loss in high)
        raise UsageError(f"to {title}", fact, f"{crowd.strip()} allow that with --allow-lossy".strip())


def _softened(loss: Loss) -> Loss:
    """Make the loss of crowds a warning: the user chose it."""
    return Loss("medium", loss.what, loss.count) if loss.what == LEVELS[Feature.CROWD][1] else loss
