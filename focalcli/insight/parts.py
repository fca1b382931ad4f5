"""Which photos to learn from and which to measure on, when one data set serves for both."""

import numpy as np

from focalcli.dataset.types import Dataset

_TEST_SPLITS = ("val", "valid", "validation", "test")
_EVERY = 5


def learn_and_measure(dataset: Dataset) -> tuple[Dataset, Dataset]:
    """Give train split and the first of val and test, where there are both; else four photos of five, and the rest."""
    names = {image.split for image in dataset.images}
    test = next((split for split in _TEST_SPLITS if split in names), None)
    if "train" in names and test:
        return _of_split(dataset, "train"), _of_split(dataset, test)
    positions = np.arange(len(dataset.images))
    held_out = positions % _EVERY == _EVERY - 1
    return dataset.take_images(positions[~held_out]), dataset.take_images(positions[held_out])


def folds(dataset: Dataset, count: int, *, seed: int) -> list[np.ndarray]:
    """Give the photo positions of each of `count` parts, drawn at random, sizes equal within one."""
    order = np.random.default_rng(seed).permutation(len(dataset.images))
    return [np.sort(part) for part in np.array_split(order, count)]


def without(dataset: Dataset, positions: np.ndarray) -> np.ndarray:
    """Give the positions of all other photos."""
    return np.setdiff1d(np.arange(len(dataset.images)), positions)


def _of_split(dataset: Dataset, split: str) -> Dataset:
    return dataset.take_images(np.array([i for i, image in enumerate(dataset.images) if image.split == split]))
