"""Writing YOLO as Ultralytics wants it: `data.yaml` with train and val, label files in `labels` for `images`."""

import numpy as np

from focalcli.dataset.layout import file_names, rows_of, split_groups
from focalcli.dataset.names import stem
from focalcli.dataset.sink import Sink
from focalcli.dataset.types import Dataset, Floats

UNIT = 1_000_000
"""Parts a side of a photo is divided into when written: 0.006 px of error at 12,000 px."""


def write(dataset: Dataset, sink: Sink) -> None:
    """Write `images/SPLIT/`, `labels/SPLIT/` and `data.yaml`."""
    names = file_names(dataset, sink, stems=True)
    rows = _formatted(dataset, _millionths(dataset, sink))
    groups = split_groups(dataset)
    for split, positions in groups.items():
        for image, own in rows_of(dataset, positions):
            photo = dataset.images[image]
            path = f"images/{split}/{names[image]}" if split else f"images/{names[image]}"
            sink.image(photo, path)
            if photo.labelled or own.start < own.stop:
                sink.text(_label_name(path), "".join(rows[own]))
    sink.text("data.yaml", _yaml_text(dataset, list(groups)))


def _label_name(path: str) -> str:
    """Give the label file Ultralytics looks for: the last `images` of the path becomes `labels`.

    >>> _label_name("images/train/images/a.b.jpg")
    'images/train/labels/a.b.txt'
    """
    head, _, tail = f"/{path}".rpartition("/images/")
    return f"{head}/labels/{stem(tail)}.txt".removeprefix("/")


def _millionths(dataset: Dataset, sink: Sink) -> Floats:
    """Give (n, 4) centre x, y, width and height of every box in whole millionths of the photo.

    Rounding may push an edge over the border by a millionth, which other readers refuse: such sides are shortened.
    """
    xyxy = dataset.boxes.xyxy
    sizes = np.array([(image.width, image.height) for image in dataset.images], dtype=np.float64).reshape(-1, 2)
    size = sizes[dataset.boxes.image] / UNIT
    centre = np.clip(np.rint((xyxy[:, :2] + xyxy[:, 2:]) / 2 / size), 1, UNIT - 1)
    extent = np.maximum(np.rint((xyxy[:, 2:] - xyxy[:, :2]) / size), 1)
    for _ in range(3):
        low, high = centre / UNIT - extent / UNIT / 2, centre / UNIT + extent / UNIT / 2
        extent -= (low < 0) | (high > 1)
    moved = np.abs(np.hstack([centre - extent / 2, centre + extent / 2]) * np.hstack([size, size]) - xyxy)
    sink.loss("info", f"edges move by up to {moved.max(initial=0.0):.2g} px", int((moved.max(axis=1) > 1e-9).sum()))
    return np.hstack([centre, extent])


def _formatted(dataset: Dataset, millionths: Floats) -> list[str]:
    """Give one line for every box."""
    columns = (dataset.boxes.category.tolist(), *(millionths / UNIT).T.tolist())
    return [f"{c} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for c, x, y, w, h in zip(*columns, strict=True)]


def _yaml_text(dataset: Dataset, splits: list[str]) -> str:
    """Give `data.yaml`: Ultralytics refuses one without train and val, so one folder stands in for a missing one.

    It has no `path`, which Ultralytics would take from its own settings or the working directory.
    """
    import yaml

    folders = {split: f"images/{split}" if split else "images" for split in splits}
    stand_in = folders.get("train", folders[splits[0]])
    entries = {"train": stand_in, "val": folders.get("val", stand_in), **{k: v for k, v in folders.items() if k}}
    names = {index: category.name for index, category in enumerate(dataset.categories)}
    return yaml.safe_dump({**entries, "names": names}, allow_unicode=True, sort_keys=False, width=1 << 20)
