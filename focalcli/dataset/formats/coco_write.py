"""Writing COCO JSON: one file a split, ids of the source where they are usable."""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from focalcli.dataset.formats.coco_boxes import FLAG_NAMES
from focalcli.dataset.formats.coco_read import EXTRAS
from focalcli.dataset.layout import file_names, split_groups
from focalcli.dataset.sink import Sink
from focalcli.dataset.types import Boxes, Dataset, Flag, Image, Ints

REGIONS = Flag.CROWD | Flag.GROUP | Flag.IGNORE
"""What becomes `iscrowd`: pycocotools heeds nothing else, not even `ignore`."""

BLOCK = 50_000
"""Annotations written at a time, so that Python objects never stand for all of them at once."""

DECIMALS = 9
"""Of boxes written: a nano-pixel, so that x + w - x is w again."""


class _OutImage(msgspec.Struct, gc=False, omit_defaults=True):
    id: int
    file_name: str
    width: int
    height: int
    license: object = None
    coco_url: object = None
    flickr_url: object = None
    date_captured: object = None
    merged_from: object = None


class _OutAnnotation(msgspec.Struct, gc=False, omit_defaults=True):
    id: int
    image_id: int
    category_id: int
    bbox: list[float]
    area: float
    iscrowd: int
    segmentation: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    ignore: int = 0
    score: float | None = None
    attributes: dict[str, Any] | None = None


def write(dataset: Dataset, sink: Sink) -> None:
    """Write `annotations/instances_SPLIT.json` and `images/SPLIT/`, or `annotations.json` and `images/`."""
    groups = {"": np.arange(len(dataset.images))} if sink.single else split_groups(dataset)
    if sink.single:
        sink.loss("medium", "images lose their split", len(dataset.images) if dataset.splits else 0)
    regions = (dataset.boxes.flags & REGIONS.value != 0) & (dataset.boxes.flags & Flag.CROWD.value == 0)
    sink.loss("medium", "group and ignore regions are written as crowds", int(regions.sum()))
    names = file_names(dataset, sink, shared="" in groups)
    image_ids, box_ids, category_ids = _ids(dataset, sink)
    header = _header(dataset, category_ids)
    group_of = np.zeros(len(dataset.images), dtype=np.int64)
    for number, positions in enumerate(groups.values()):
        group_of[positions] = number
    for number, (split, positions) in enumerate(groups.items()):
        own = positions.tolist()
        images = [_out_image(dataset.images[i], image_ids[i], names[i]) for i in own]
        for i in own:
            sink.image(dataset.images[i], f"images/{split}/{names[i]}" if split else f"images/{names[i]}")
        rows = np.flatnonzero(group_of[dataset.boxes.image] == number)
        parts = [header, b',"images":', msgspec.json.encode(images), b',"annotations":[']
        parts += _encoded(dataset, rows, np.array(image_ids, dtype=np.int64), box_ids, category_ids)
        sink.bytes(f"annotations/instances_{split}.json" if split else "annotations.json", b"".join([*parts, b"]}"]))


def _ids(dataset: Dataset, sink: Sink) -> tuple[list[int], Ints, Ints]:
    """Give image, annotation and category ids: the source's own where they are usable, else numbers from 1.

    pycocotools takes an annotation of id 0 for none, so such files are renumbered.
    """
    wanted = [image.source_id for image in dataset.images]
    images = [number for number in wanted if type(number) is int and number >= 0]
    if len(set(images)) < len(dataset.images):
        images = list(range(1, len(dataset.images) + 1))
        sink.loss("info", "images are renumbered", sum(number is not None for number in wanted))
    boxes = dataset.boxes.source_id
    ordered = np.sort(boxes)
    if len(boxes) and (ordered[0] < 1 or bool((ordered[1:] == ordered[:-1]).any())):
        sink.loss("info", "annotations are renumbered", int((boxes >= 0).sum()))
        boxes = np.arange(1, len(boxes) + 1)
    categories = np.array([category.source_id for category in dataset.categories], dtype=np.int64)
    if len(set(categories.tolist())) < len(categories):  # np.unique would import numpy.ma: 20 ms
        sink.loss("info", "classes are renumbered", len(categories))
        categories = np.arange(1, len(categories) + 1)
    return images, boxes, categories


def _header(dataset: Dataset, category_ids: Ints) -> bytes:
    """Give the opening of the file: what the source said of itself, and the classes; without the closing brace."""
    noted = dataset.info.get("coco")
    told = {key: value for key, value in noted.items() if value} if isinstance(noted, dict) else {}
    categories = [
        {"id": number, "name": category.name, "supercategory": category.supercategory}
        for number, category in zip(category_ids.tolist(), dataset.categories, strict=True)
    ]
    return msgspec.json.encode({**told, "categories": categories})[:-1]


def _out_image(image: Image, number: int, name: str) -> _OutImage:
    if not image.extra:
        return _OutImage(number, name, image.width, image.height)
    return _OutImage(number, name, image.width, image.height, *[image.extra.get(key) for key in EXTRAS])


def _encoded(dataset: Dataset, rows: Ints, image_ids: Ints, box_ids: Ints, category_ids: Ints) -> Iterator[bytes]:
    """Give the annotations of these rows as JSON, some tens of thousands at a time, with the commas between."""
    for start in range(0, len(rows), BLOCK):
        boxes = dataset.boxes.take(rows[start : start + BLOCK])
        xywh = boxes.xyxy.copy()
        xywh[:, 2:] -= xywh[:, :2]
        columns = (
            box_ids[rows[start : start + BLOCK]].tolist(),
            image_ids[boxes.image].tolist(),
            category_ids[boxes.category].tolist(),
            np.round(xywh, DECIMALS).tolist(),
            np.round(boxes.area, DECIMALS).tolist(),
            ((boxes.flags & REGIONS.value) != 0).astype(np.int64).tolist(),
        )
        annotations = [_OutAnnotation(*values) for values in zip(*columns, strict=True)]
        _add_rare(annotations, boxes)
        yield (b"," if start else b"") + msgspec.json.encode(annotations)[1:-1]


def _add_rare(annotations: list[_OutAnnotation], boxes: Boxes) -> None:
    """Add what few annotations have: segmentations, scores, attributes and the flags that travel as such."""
    if boxes.segmentation is not None:
        for row in np.flatnonzero(boxes.segmentation != None):  # noqa: E711
            annotations[row].segmentation = msgspec.Raw(boxes.segmentation[row])
    if boxes.score is not None:
        for row in np.flatnonzero(np.isfinite(boxes.score)):
            annotations[row].score = float(boxes.score[row])
    if boxes.attributes is not None:
        for row in np.flatnonzero(boxes.attributes != None):  # noqa: E711
            annotations[row].attributes = dict(boxes.attributes[row])
    for row in np.flatnonzero(boxes.flags & Flag.IGNORE.value):
        annotations[row].ignore = 1
    for name, flag in FLAG_NAMES.items():
        for row in np.flatnonzero(boxes.flags & flag.value):
            annotations[row].attributes = {**(annotations[row].attributes or {}), name: True}
