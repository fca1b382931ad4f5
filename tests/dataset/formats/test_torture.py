"""One small COCO file with all that writers get wrong, through every writer and back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from focalcli.dataset.convert import convert
from focalcli.dataset.features import Feature
from focalcli.dataset.formats import table
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Flag
from focalcli.errors import UsageError

NAMES = [
    "a/img.jpg",
    "b/img.jpg",
    "same.jpg",
    "same.png",
    "Case.jpg",
    "case.jpg",
    "turned.jpg",
    "missing.jpg",
    "neg.jpg",
]


@pytest.fixture
def torture(folder: Any) -> Path:
    """Write nine images: clashing names, an EXIF turn, one missing, one negative; ids 1, 3, 90; a crowd; bad boxes."""
    images = [{"id": i, "file_name": n, "width": 200, "height": 100} for i, n in enumerate(NAMES, 1)]
    images[6] |= {"width": 100, "height": 200}
    for name in NAMES:
        if name != "missing.jpg":
            folder.photo(f"images/{name}", orientation=6 if name == "turned.jpg" else 1)
    boxes = [
        (1, 1, [10, 20, 30, 40]),
        (2, 3, [0, 0, 200, 100]),
        (3, 90, [1, 2, 3, 4]),
        (4, 1, [5, 6, 7, 8]),
        (5, 3, [150, 50, 100, 100]),  # sticks out: 150 50 200 100 is left
        (6, 3, [10, 10, 0, 5]),  # no width: dropped
        (6, 3, [20, 20, 5, 5]),
        (7, 90, [90, 190, 10, 10]),
        (8, 1, [10, 10, 10, 10]),
    ]
    annotations = [{"id": n, "image_id": i, "category_id": c, "bbox": b} for n, (i, c, b) in enumerate(boxes, 1)]
    annotations.append({"id": 10, "image_id": 1, "category_id": 1, "bbox": [50, 50, 60, 40], "iscrowd": 1})
    names = {1: "cat", 3: "dog", 90: "bird", 91: "nobody"}
    categories = [{"id": number, "name": name} for number, name in names.items()]
    folder.json("annotations.json", {"images": images, "annotations": annotations, "categories": categories})
    return folder.path


EXPECTED = [
    ("a/img.jpg", "cat", (10, 20, 40, 60)),
    ("a/img.jpg", "cat", (50, 50, 110, 90)),
    ("b/img.jpg", "dog", (0, 0, 200, 100)),
    ("same.jpg", "bird", (1, 2, 4, 6)),
    ("same.png", "cat", (5, 6, 12, 14)),
    ("Case.jpg", "dog", (150, 50, 200, 100)),
    ("case.jpg", "dog", (20, 20, 25, 25)),
    ("turned.jpg", "bird", (90, 190, 100, 200)),
    ("missing.jpg", "cat", (10, 10, 20, 20)),
]


def test_it_is_read_with_every_repair_counted(torture: Path, rows: Any) -> None:
    dataset = read_dataset(torture)
    assert rows(dataset) == EXPECTED
    assert [(found.code, found.place, found.count) for found in dataset.findings] == [
        ("E008", "annotations.json: annotation id 6", 1),
        ("W101", "annotations.json: annotation id 5", 1),
        ("W108", "annotations.json: missing.jpg", 1),
    ]


@pytest.mark.parametrize("to", ["coco", "voc", "yolo"])
def test_every_writer_keeps_every_image_and_box(torture: Path, tmp_path: Path, rows: Any, to: str) -> None:
    """Only the photo that is missing may be missing, and only in YOLO, which has its size from nowhere else."""
    report = convert(read_dataset(torture), tmp_path / "out", to=to, crowd="keep")
    stem_clash = {} if to == "coco" else {"same.png": "same-1.png"}
    assert report.renamed == {**stem_clash, "case.jpg": "case-1.jpg"}
    again = read_dataset(tmp_path / "out", images=tmp_path / "out/images" if to == "yolo" else None)
    back = {new: old for old, new in report.renamed.items()}
    kept = [(back.get(key, key), name, box) for key, name, box in rows(again)]
    wanted = [row for row in EXPECTED if to != "yolo" or row[0] != "missing.jpg"]
    assert [row[:2] for row in sorted(kept)] == [row[:2] for row in sorted(wanted)]
    for (_, _, box), (_, _, expected) in zip(sorted(kept), sorted(wanted), strict=True):
        assert np.allclose(box, expected, atol=2e-4 if to == "yolo" else 1e-9)
    assert "neg.jpg" in {image.key for image in again.images}


def test_a_crowd_stops_a_target_that_cannot_mark_it(torture: Path, tmp_path: Path) -> None:
    dataset = read_dataset(torture)
    with pytest.raises(UsageError, match=r"crowd.*become ordinary objects \(1\), choose --crowd keep or drop"):
        convert(dataset, tmp_path / "out", to="yolo")
    assert not (tmp_path / "out").exists() and list(tmp_path.glob(".focalcli-tmp*")) == []
    assert convert(dataset, tmp_path / "drop", to="yolo", crowd="drop").boxes == 8
    assert convert(dataset, tmp_path / "keep", to="yolo", crowd="keep").boxes == 9
    assert convert(dataset, tmp_path / "lossy", to="yolo", allow_lossy=True).boxes == 9


def test_coco_and_voc_bring_the_crowd_back(torture: Path, tmp_path: Path) -> None:
    for to in ("coco", "voc"):
        assert Feature.CROWD in table.load(to).INFO.carries
        convert(read_dataset(torture), tmp_path / to, to=to)
        assert (read_dataset(tmp_path / to).boxes.flags & Flag.CROWD.value).sum() == 1


@pytest.mark.parametrize("to", ["coco", "voc", "yolo"])
def test_the_same_input_gives_the_same_bytes(torture: Path, tmp_path: Path, to: str) -> None:
    def content(name: str) -> dict[str, bytes]:
        convert(read_dataset(torture), tmp_path / name, to=to, crowd="keep")
        files = sorted(p for p in (tmp_path / name).rglob("*") if p.is_file())
        return {p.relative_to(tmp_path / name).as_posix(): p.read_bytes() for p in files}

    assert content("one") == content("two")
