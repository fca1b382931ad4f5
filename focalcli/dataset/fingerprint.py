"""A name for the content of a data set, so that a run can say what it was trained on."""

import hashlib

import numpy as np

from focalcli.dataset.types import Dataset


def fingerprint(dataset: Dataset) -> str:
    """Give the SHA-256, in hex, of classes, image keys and sizes, and boxes; where the files lie does not matter."""
    digest = hashlib.sha256(b"focalcli.dataset/1\n")
    for category in dataset.categories:
        digest.update(f"{category.source_id}\t{category.name}\n".encode("utf-8", "surrogateescape"))
    digest.update(b"\n")
    for image in dataset.images:
        digest.update(f"{image.width}\t{image.height}\t{image.key}\n".encode("utf-8", "surrogateescape"))
    digest.update(b"\n")
    for column in (dataset.boxes.image, dataset.boxes.category, dataset.boxes.flags):
        digest.update(np.ascontiguousarray(column, dtype="<i8").tobytes())
    digest.update(np.ascontiguousarray(dataset.boxes.xyxy, dtype="<f8").tobytes())
    return digest.hexdigest()
