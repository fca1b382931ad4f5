"""Which image of a data set a prediction means: by id, by path, by file name."""

from collections import Counter
from pathlib import PurePosixPath
from typing import Any

from focalcli.dataset.types import Dataset
from focalcli.errors import DataError


class ImageFinder:
    """Looks images up by what prediction files call them."""

    def __init__(self, dataset: Dataset) -> None:
        """Index the images by key, by file and by name."""
        self._ids = {
            image.source_id: index for index, image in enumerate(dataset.images) if image.source_id is not None
        }
        self._paths = {str(image.path): index for index, image in enumerate(dataset.images) if image.path is not None}
        self._paths |= {image.key: index for index, image in enumerate(dataset.images)}
        names = [PurePosixPath(image.key).name for image in dataset.images]
        count = Counter(names)
        self._names = {name: index for index, name in enumerate(names) if count[name] == 1}
        self._many = {name for name in names if count[name] > 1}

    def by_id(self) -> dict[Any, int]:
        """Give positions by source id; where the data set has none, by path, file name and stem, as others write it."""
        if self._ids:
            return self._ids
        by_stem = {PurePosixPath(name).stem: index for name, index in self._names.items()}
        numbers = {int(stem): index for stem, index in by_stem.items() if stem.isdecimal()}
        return {**by_stem, **numbers, **self._names, **self._paths}

    def by_path(self, path: str, place: str) -> int:
        """Give the position of the image of this path, key or file name.

        Raises:
            DataError: no image, or more than one, is called so.
        """
        name = PurePosixPath(path).name
        found = self._paths.get(path, self._names.get(name))
        if found is not None:
            return found
        if name in self._many:
            raise DataError(place, f"image {path!r} may be several of the data set", "write its path in the data set")
        raise DataError(place, f"image {path!r} is not in the data set", "evaluate on the data set and split it is of")
