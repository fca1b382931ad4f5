"""COCO JSON (instances): one file a split, boxes as x, y, width, height in pixels from the outer edge.

`area` is the segmentation's, ids are any integers, `file_name` is relative to a folder the file does not name.
"""

from focalcli.dataset.features import Feature
from focalcli.dataset.format import Confidence, FormatInfo, Match
from focalcli.dataset.formats.coco_files import is_coco
from focalcli.dataset.formats.coco_read import read
from focalcli.dataset.formats.coco_write import write
from focalcli.dataset.peek import Peek

__all__ = ["INFO", "read", "sniff", "write"]

INFO = FormatInfo(
    name="coco",
    title="COCO",
    carries=frozenset(Feature) - {Feature.UNLABELLED},
    record="annotation",
    file_suffix=".json",
)


def sniff(peek: Peek) -> Match | None:
    """Claim JSON objects with lists of images, annotations and categories, or folders that hold some."""
    names = [name for name in peek.ending(".json") if name.count("/") <= 1]
    found = [name for name in names[:50] if is_coco(peek.json(name))]
    if not found:
        return None
    more = f" ({len(found)} such files)" if len(found) > 1 else ""
    keys = [key for key in peek.json(found[0]).keys if key in ("images", "annotations", "categories")]
    return Match(Confidence.CONTENT, f"{found[0]} has the keys {', '.join(keys)}{more}")
