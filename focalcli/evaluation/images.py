"""Which image of a data set a prediction means: by id, by path, by file name."""

from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import PurePosixPath
from typing import Any

from focalcli.dataset.types import Dataset
from focalcli.errors import DataError


class ImageFinder:
    """Looks images up by what prediction files call them. What two images are called is the name of neither."""

    def __init__(self, dataset: Dataset) -> None:
        """Index the images by source id, by file or key, and by file name."""
        images = dataset.images
        self._keys = [image.key for image in images]
        self._has_ids = any(image.source_id is not None for image in images)
        self._ids = _unique([image.source_id for image in images])
        self._paths = _unique([image.key if image.path is None else str(image.path) for image in images])
        self._paths |= {image.key: index for index, image in enumerate(images)}
        names = [image.key.rpartition("/")[2] for image in images]
        self._names = _unique(names)
        self._shared = set(names) - set(self._names)

    def by_id(self) -> dict[Any, int]:
        """Give positions by source id; where the data set has none, by path, file name and stem, as others write it."""
        if self._has_ids:
            return self._ids
        stems = _unique([PurePosixPath(key).stem for key in self._keys])
        numbers = {int(stem): index for stem, index in stems.items() if stem.isdecimal()}
        return {**stems, **numbers, **self._names, **self._paths}

    def by_path(self, path: str, place: str) -> int:
        """Give the position of the image of this path, key or file name.

        Raises:
            DataError: no image, or more than one, is called so.
        """
        name = path.rpartition("/")[2]
        found = self._paths.get(path, self._names.get(name))
        if found is not None:
            return found
        if name in self._shared:
            raise DataError(place, f"image {path!r} may be several of the data set", "write its path in the data set")
        raise DataError(place, f"image {path!r} is not in the data set", "evaluate on the data set and split it is of")


def _unique(names: Sequence[Hashable]) -> dict[Any, int]:
    """Give the positions of the names that occur once."""
    count = Counter(names)
    return {name: index for index, name in enumerate(names) if count[name] == 1}
