"""What is suspicious in annotations that could be read: duplicates, clashes, shapes and classes that hardly exist."""

from collections import defaultdict
from collections.abc import Callable

from focalcli.dataset.findings import FindingLog
from focalcli.dataset.names import folded
from focalcli.dataset.types import Dataset


def check(dataset: Dataset, log: FindingLog) -> None:
    """Report everything that annotations alone show, without opening a photo."""
    for one in CHECKS:
        one(dataset, log)


def name_clashes(dataset: Dataset, log: FindingLog) -> None:
    """W112: photos whose names are one on a disk that ignores case or Unicode form."""
    seen: dict[str, list[str]] = defaultdict(list)
    for image in dataset.images:
        seen[folded(image.key)].append(image.key)
    for keys in seen.values():
        for key in keys[1:]:
            log.add("W112", key, "differs from another photo's name only in case or Unicode form")


CHECKS: tuple[Callable[[Dataset, FindingLog], None], ...] = (name_clashes,)
