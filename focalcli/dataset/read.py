"""The one way into a data set: recognise the format, read it, repair it, say what was found."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.decode import collector_off
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.formats import table
from focalcli.dataset.peek import unwrapped
from focalcli.dataset.recognise import recognise
from focalcli.dataset.source import Source
from focalcli.dataset.types import Dataset
from focalcli.errors import InputNotFound, UsageError


def read_dataset(
    path: Path,
    *,
    format: str | None = None,
    images: Path | Sequence[Path] | None = None,
    split: str | None = None,
    options: ReadOptions | None = None,
) -> Dataset:
    """Read a folder or an annotation file of any format, wholly or one split of it.

    `images` says where the photos are when the annotations do not. `Dataset.info["read_as"]` says which format was
    read and why, `info["splits"]` which splits the source has, `findings` what was repaired.

    Raises:
        InputNotFound: the path or the folder of images is not there.
        DataError: the format is not recognised, or the annotations are damaged or hostile.
        UsageError: the format or the split does not exist.
    """
    options = options or ReadOptions()
    folders = (images,) if isinstance(images, Path) else tuple(images or ())
    options = replace(options, images=folders or options.images, split=split if split is not None else options.split)
    if not os.path.exists(path):
        raise InputNotFound(path, "no such file or folder", "check the path of the data set")
    for folder in options.images:
        if not os.path.isdir(folder):
            raise InputNotFound(folder, "no such folder", "check --images")
    path = unwrapped(path)
    name, reason = recognise(path) if format is None else (format, "you said so")
    module = table.load(name)
    if not module.INFO.can_read:
        raise UsageError("format", f"{module.INFO.title} can be written but not read", "choose another --from")
    source = Source(path, images=options.images, follow_symlinks=options.follow_symlinks, max_pixels=options.max_pixels)
    builder = DatasetBuilder(source, module.INFO, options)
    with collector_off():
        module.read(source, options, builder)
        dataset = builder.finish()
    read_as = f"{module.INFO.title} because {reason}"
    if (convention := dataset.info.get("coordinates")) is not None:
        read_as += f"; coordinates {convention}"
    return replace(dataset, info={**dataset.info, "path": str(path), "read_as": read_as})
