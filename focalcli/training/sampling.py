"""Which photos an epoch shows, and how often: rare classes more often, photos without objects less often.

Photos of rare classes repeat by the factor of Gupta et al. 2019 (LVIS, arXiv 1908.03195, section 5.2): for a class in
a share f of the photos max(1, sqrt(t / f)), for a photo the largest of its classes.
"""

import numpy as np
import numpy.typing as npt

from focalcli.dataset.types import Dataset
from focalcli.train_config import TrainConfig
from focalcli.training.coverage import learnable

Weights = npt.NDArray[np.float64]


def weights(dataset: Dataset, config: TrainConfig) -> Weights | None:
    """Give how often an epoch shows each photo, on average; None for all of them once."""
    if not config.balance and config.empty_share is None:
        return None
    rows = learnable(dataset)
    category, image = dataset.boxes.category[rows], dataset.boxes.image[rows]
    found = repeats(category, image, len(dataset.images), threshold=config.balance)
    empty = np.ones(len(dataset.images), bool)
    empty[image] = False
    if config.empty_share is not None and empty.any():
        wanted = found[~empty].sum() * config.empty_share / (1 - config.empty_share)
        found[empty] = min(wanted / empty.sum(), 1.0)
    return found


def repeats(category: npt.NDArray[np.int64], image: npt.NDArray[np.int64], photos: int, *, threshold: float) -> Weights:
    """Give the repeat factor of each photo, from the class and the photo of each object.

    >>> repeats(np.array([0, 0, 0, 0, 1]), np.array([0, 1, 2, 3, 3]), 4, threshold=1.0).tolist()
    [1.0, 1.0, 1.0, 2.0]
    """
    found = np.ones(photos)
    pairs = np.unique(np.stack([category, image]), axis=1)
    classes, number, counts = np.unique(pairs[0], return_inverse=True, return_counts=True)
    if threshold and len(classes):
        factor = np.maximum(1.0, np.sqrt(threshold / (counts / photos)))
        np.maximum.at(found, pairs[1], factor[number])
    return found


def drawn(found: Weights, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw the positions of an epoch, shuffled; each comes its weight often, rounded down or up at random.

    The number is that of `length`, in every epoch (systematic sampling).
    """
    order = generator.permutation(len(found))
    ends = np.cumsum(found[order])
    ticks = (np.arange(length(found)) + generator.random()) * (ends[-1] / length(found))
    return generator.permutation(order[np.searchsorted(ends, ticks, side="right").clip(max=len(found) - 1)])


def length(found: Weights) -> int:
    """Give how many photos an epoch shows."""
    return max(round(float(found.sum())), 1)


def copies(positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give for each position how often it came before.

    >>> copies(np.array([3, 5, 3, 3])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(positions, kind="stable")
    _, first, counts = np.unique(positions[order], return_index=True, return_counts=True)
    found = np.empty(len(positions), np.int64)
    found[order] = np.arange(len(positions)) - np.repeat(first, counts)
    return found
