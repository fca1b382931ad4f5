"""Writing Hugging Face imagefolders: `metadata.jsonl` beside the photos, and the card with the class names."""

import msgspec
import numpy as np

from focalcli.dataset.formats.hf_read import CARD, FILE
from focalcli.dataset.layout import file_names, rows_of, split_groups
from focalcli.dataset.losses import CROWD_FLAGS
from focalcli.dataset.sink import Sink
from focalcli.dataset.types import Dataset

DECIMALS = 9
"""Of numbers written: a nano-pixel."""


def write(dataset: Dataset, sink: Sink) -> None:
    """Write `metadata.jsonl` beside the photos, below a folder for every split, and the card with the class names."""
    groups = split_groups(dataset)
    if sink.single:
        sink.loss("medium", "images lose their split", 0 if "" in groups else len(dataset.images))
        used = len(np.unique(dataset.boxes.category))
        sink.loss("medium", "classes without objects are lost", len(dataset.categories) - used)
    names = file_names(dataset, sink, shared="" in groups or sink.single)
    lines: dict[str, list[bytes]] = {"": []} if sink.single else {split: [] for split in groups}
    image_ids, box_ids = _all_numbered(dataset), _boxes_numbered(dataset)
    for split, positions in groups.items():
        for image, own in rows_of(dataset, positions):
            photo = dataset.images[image]
            sink.image(photo, f"{split}/{names[image]}" if split else names[image])
            line: dict[str, object] = {"file_name": names[image]}
            line |= {"image_id": photo.source_id} if image_ids else {}
            objects = _columns(dataset, own, named=sink.single, numbered=box_ids)
            line |= {"width": photo.width, "height": photo.height, "objects": objects}
            lines["" if sink.single else split].append(msgspec.json.encode(line))
    for split, content in lines.items():
        sink.bytes(f"{split}/{FILE}" if split else FILE, b"".join(line + b"\n" for line in content))
    if not sink.single:
        sink.text(CARD, _card(dataset, image_ids=image_ids, box_ids=box_ids))


def _all_numbered(dataset: Dataset) -> bool:
    return bool(dataset.images) and all(type(image.source_id) is int for image in dataset.images)


def _columns(dataset: Dataset, own: slice, *, named: bool, numbered: bool) -> dict[str, object]:
    """Give the objects of one photo; every photo has the same keys, as a table must."""
    boxes = dataset.boxes
    xywh = boxes.xyxy[own].copy()
    xywh[:, 2:] -= xywh[:, :2]
    numbers = boxes.category[own].tolist()
    ids = {"id": boxes.source_id[own].tolist()} if numbered else {}
    return {
        **ids,
        "bbox": np.round(xywh, DECIMALS).tolist(),
        "categories": [dataset.categories[number].name for number in numbers] if named else numbers,
        "area": np.round(boxes.area[own], DECIMALS).tolist(),
        "iscrowd": ((boxes.flags[own] & CROWD_FLAGS.value) != 0).astype(int).tolist(),
    }


def _boxes_numbered(dataset: Dataset) -> bool:
    return len(dataset.boxes) > 0 and bool((dataset.boxes.source_id >= 0).all())


def _card(dataset: Dataset, *, image_ids: bool, box_ids: bool) -> str:
    """Give the card: the task, and the features of every column, the classes with their names."""
    import yaml

    names = {str(index): category.name for index, category in enumerate(dataset.categories)}
    label = {"class_label": {"names": names}} if names else "int64"
    columns = [
        *([{"name": "id", "sequence": "int64"}] if box_ids else []),
        {"name": "bbox", "sequence": {"sequence": "float64"}},
        {"name": "categories", "sequence": label},
        {"name": "area", "sequence": "float64"},
        {"name": "iscrowd", "sequence": "int64"},
    ]
    features = [
        {"name": "image", "dtype": "image"},
        *([{"name": "image_id", "dtype": "int64"}] if image_ids else []),
        {"name": "width", "dtype": "int64"},
        {"name": "height", "dtype": "int64"},
        {"name": "objects", "struct": columns},
    ]
    head = {"task_categories": ["object-detection"], "dataset_info": {"features": features}}
    text = yaml.safe_dump(head, allow_unicode=True, sort_keys=False, width=1 << 20)
    note = "Boxes are x, y, width and height in pixels; `categories` are numbers of the classes above."
    return f"---\n{text}---\n\n{note}\n"
