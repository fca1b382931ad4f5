"""Real photos, written by LabelImg: BCCD reads to its published counts and survives every conversion."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from focalcli.dataset.convert import convert
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Dataset

BCCD = Path(__file__).parents[2].parent / "shared/data/bccd"
pytestmark = pytest.mark.skipif(not BCCD.is_dir(), reason=f"the BCCD photos are not at {BCCD}")


@pytest.fixture(scope="module")
def bccd() -> Dataset:
    return read_dataset(BCCD)


def test_all_boxes_are_there_but_the_two_of_no_size(bccd: Dataset) -> None:
    names = Counter(bccd.categories[c].name for c in bccd.boxes.category.tolist())
    assert len(bccd.images) == 364 and len(bccd.boxes) == 4888 - 2
    assert names == {"RBC": 4155 - 2, "WBC": 372, "Platelets": 361}
    (found,) = bccd.findings
    assert (found.code, found.count) == ("E008", 2)
    assert {found.place, *found.examples} == {
        "Annotations/BloodImage_00338.xml: object 13",
        "Annotations/BloodImage_00343.xml: object 4",
    }


def test_it_is_read_as_labelimg_wrote_it(bccd: Dataset) -> None:
    """The first object of the first file is 260 177 491 376."""
    image = next(i for i, image in enumerate(bccd.images) if image.key == "BloodImage_00000.jpg")
    rows = bccd.row_bounds()
    assert bccd.boxes.xyxy[rows[image]].tolist() == [260, 177, 491, 376]
    assert str(bccd.info["read_as"]).endswith("coordinates zero-based because LabelImg wrote it")


@pytest.mark.parametrize(("split", "photos"), [("train", 205), ("val", 87), ("test", 72), ("trainval", 292)])
def test_its_splits_have_their_published_sizes(split: str, photos: int) -> None:
    dataset = read_dataset(BCCD, split=split)
    assert len(dataset.images) == photos
    assert [category.name for category in dataset.categories] == ["WBC", "RBC", "Platelets"]


def test_pycocotools_reads_the_same_boxes_from_its_coco_file(bccd: Dataset, tmp_path: Path) -> None:
    pycocotools = pytest.importorskip("pycocotools.coco")
    convert(bccd, tmp_path / "all.json", to="coco")
    index = pycocotools.COCO(str(tmp_path / "all.json"))
    assert (len(index.imgs), len(index.anns), len(index.cats)) == (364, 4886, 3)
    ours = {
        (i.key, *box)
        for i, box in zip((bccd.images[n] for n in bccd.boxes.image), bccd.boxes.xyxy.tolist(), strict=True)
    }
    theirs = set()
    for ann in index.anns.values():
        x, y, w, h = ann["bbox"]
        theirs.add((index.imgs[ann["image_id"]]["file_name"], x, y, x + w, y + h))
        assert ann["area"] == w * h
    assert theirs == ours


EXACT = ("coco", "voc", "cvat", "labelme", "hf", "retinanet", "tfod")


@pytest.mark.parametrize(("to", "error"), [*((name, 0.0) for name in EXACT), ("createml", 1e-9), ("yolo", 6.4e-4)])
def test_it_comes_back_from_every_format(bccd: Dataset, tmp_path: Path, to: str, error: float) -> None:
    convert(bccd, tmp_path / to, to=to, transfer="link")
    again = read_dataset(tmp_path / to)
    assert [image.key for image in again.images] == [image.key for image in bccd.images]
    assert [image.split for image in again.images] == [image.split for image in bccd.images]
    same = {c.name: i for i, c in enumerate(bccd.categories)}
    category = np.array([same[c.name] for c in again.categories])[again.boxes.category]
    assert (category == bccd.boxes.category).all()
    assert np.abs(again.boxes.xyxy - bccd.boxes.xyxy).max() <= error
    assert again.findings == ()
