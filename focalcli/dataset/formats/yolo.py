"""YOLO as Ultralytics reads it: a text file a photo with `class x y w h` in fractions, and `data.yaml`.

A photo with an empty text file is a verified negative; one without a text file has not been labelled.
"""

from focalcli.dataset.features import Feature
from focalcli.dataset.format import Confidence, FormatInfo, Match
from focalcli.dataset.formats.yolo_read import read
from focalcli.dataset.formats.yolo_write import write
from focalcli.dataset.formats.yolo_yaml import KEYS, top_keys
from focalcli.dataset.peek import Peek

__all__ = ["INFO", "read", "sniff", "write"]

INFO = FormatInfo(
    name="yolo",
    title="YOLO",
    carries=frozenset(
        {
            Feature.NEGATIVES,
            Feature.UNLABELLED,
            Feature.NAMES,
            Feature.CLASS_LIST,
            Feature.SPLITS,
            Feature.SUBFOLDERS,
            Feature.SUBPIXEL,
        }
    ),
)


def sniff(peek: Peek) -> Match | None:
    """Claim a YAML file with class names and splits, or label files in `labels` beside photos in `images`."""
    for name in peek.ending(".yaml", ".yml"):
        keys = top_keys(peek.text(name))
        if keys & {"names", "nc"} and keys & {"train", "val", "validation", "test"} and "/" not in name:
            return Match(Confidence.CONTENT, f"{name} has the keys {', '.join(sorted(keys & {'names', 'nc', *KEYS}))}")
    labels = [name for name in peek.ending(".txt") if "labels" in name.split("/")[:-1]]
    images = [name for name in peek.photos if "images" in name.split("/")[:-1]]
    if labels and images:
        return Match(Confidence.LAYOUT, f"it has {labels[0]} and {images[0]}")
    return None
