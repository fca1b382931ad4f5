"""Pascal VOC: every trap of the conformance table. Photos are 200 x 100; full-image boxes are worked out by hand."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from focalcli.dataset.convert import convert
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.formats import voc
from focalcli.dataset.peek import Peek
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Flag
from focalcli.errors import DataError, UsageError

Read = Callable[..., list[Any]]


def annotation(
    *objects: str,
    filename: str = "a.jpg",
    database: str = "Unknown",
    size: str = "<size><width>200</width><height>100</height><depth>3</depth></size>",
    extra: str = "",
) -> str:
    """Give the XML of one photo."""
    source = f"<source><database>{database}</database></source>"
    return f"<annotation><filename>{filename}</filename>{extra}{source}{size}{''.join(objects)}</annotation>"


def thing(*bounds: object, name: str = "cat", extra: str = "") -> str:
    """Give one object."""
    tags = zip(("xmin", "ymin", "xmax", "ymax"), bounds, strict=True)
    box = "".join(f"<{tag}>{value}</{tag}>" for tag, value in tags)
    return f"<object><name>{name}</name>{extra}<bndbox>{box}</bndbox></object>"


@pytest.fixture
def read(folder: Any, rows: Any) -> Read:
    """Read one XML file beside `a.jpg` in a devkit's folders; give its rows."""

    def of(xml: str | bytes, **named: Any) -> list[Any]:
        folder.photo("JPEGImages/a.jpg")
        folder.text("Annotations/a.xml", xml)
        return rows(read_dataset(folder.path, options=ReadOptions(**named)))

    return of


def test_the_whole_photo_is_1_1_w_h_in_a_devkit(read: Read) -> None:
    xml = annotation(thing(1, 1, 200, 100), database="The VOC2012 Database")
    assert read(xml) == [("a.jpg", "cat", (0.0, 0.0, 200.0, 100.0))]


def test_the_same_numbers_are_edges_when_a_coordinate_is_0(read: Read) -> None:
    xml = annotation(thing(1, 1, 200, 100), thing(0, 5, 9, 9))
    assert [box for _, _, box in read(xml)] == [(1.0, 1.0, 200.0, 100.0), (0.0, 5.0, 9.0, 9.0)]


def test_fractions_do_not_speak_against_a_devkit(read: Read) -> None:
    """VOC2012 itself has 45.70000076293945 in 2011_003353.xml."""
    xml = annotation(thing("45.5", 1, "60.0", 100), database="The VOC2012 Database")
    assert read(xml) == [("a.jpg", "cat", (44.5, 0.0, 60.0, 100.0))]


@pytest.mark.parametrize(
    ("named", "x0"), [({}, 10.0), ({"voc_coords": "one-based"}, 9.0), ({"voc_coords": "zero-based"}, 10.0)]
)
def test_the_user_has_the_last_word_on_the_convention(read: Read, named: dict[str, str], x0: float) -> None:
    assert read(annotation(thing(10, 10, 20, 20)), **named) == [("a.jpg", "cat", (x0, x0, 20.0, 20.0))]


@pytest.mark.parametrize(
    ("xml", "reason", "guessed"),
    [
        (annotation(thing(5, 5, 9, 9), extra="<path>C:/a.jpg</path>"), "zero-based because LabelImg wrote it", False),
        (annotation(thing(0, 5, 9, 9)), "zero-based because a coordinate is 0", False),
        (
            annotation(thing(5, 5, 9, 9), database="ILSVRC_2013"),
            "one-based because its database is 'ILSVRC_2013'",
            False,
        ),
        (annotation(thing(5, 5, 9, 9)), "zero-based, which is a guess", True),
    ],
)
def test_the_reason_of_the_convention_is_told(folder: Any, xml: str, reason: str, guessed: bool) -> None:
    folder.text("a.xml", xml)
    folder.photo("a.jpg")
    dataset = read_dataset(folder.path)
    assert dataset.info["coordinates"] == reason and reason in str(dataset.info["read_as"])
    assert [found.code for found in dataset.findings] == ["W122"] * guessed


def test_a_devkit_is_known_by_its_folder(folder: Any, rows: Any) -> None:
    folder.photo("VOCdevkit/VOC2007/JPEGImages/a.jpg")
    folder.text("VOCdevkit/VOC2007/Annotations/a.xml", annotation(thing(1, 1, 200, 100)))
    assert rows(read_dataset(folder.path)) == [("a.jpg", "cat", (0.0, 0.0, 200.0, 100.0))]


@pytest.mark.parametrize(
    "size", ["", "<size><width>0</width><height>0</height></size>", "<size><width>x</width></size>"]
)
def test_a_missing_size_is_read_from_the_photo(folder: Any, size: str) -> None:
    folder.photo("a.jpg", (200, 100), orientation=6)
    folder.text("a.xml", annotation(thing(0, 0, 50, 50), size=size))
    image = read_dataset(folder.path).images[0]
    assert (image.width, image.height) == (100, 200)


def test_inverted_corners_are_swapped_and_counted(folder: Any, rows: Any) -> None:
    folder.photo("a.jpg")
    folder.text("a.xml", annotation(thing(60, 10, 20, 40), database="The VOC2007 Database"))
    dataset = read_dataset(folder.path)
    assert rows(dataset) == [("a.jpg", "cat", (19.0, 9.0, 60.0, 40.0))]
    assert [(found.code, found.place) for found in dataset.findings] == [("E007", "a.xml: object 1")]


def test_a_box_of_one_pixel_has_an_area_only_where_the_maximum_counts(folder: Any, rows: Any) -> None:
    """504 337 504 337, as BCCD has twice: one pixel in a devkit, nothing between edges."""
    folder.photo("a.jpg", (640, 480))
    size = "<size><width>640</width><height>480</height></size>"
    folder.text("a.xml", annotation(thing(504, 337, 504, 337), database="The VOC2007 Database", size=size))
    assert rows(read_dataset(folder.path)) == [("a.jpg", "cat", (503.0, 336.0, 504.0, 337.0))]
    folder.text("a.xml", annotation(thing(504, 337, 504, 337), extra="<path>/a</path>", size=size))
    dataset = read_dataset(folder.path)
    assert len(dataset.boxes) == 0 and dataset.findings[0].code == "E008"


def test_the_declared_encoding_is_honoured(read: Read) -> None:
    xml = '<?xml version="1.0" encoding="ISO-8859-1"?>' + annotation(thing(0, 0, 9, 9, name="Füße"))
    assert read(xml.encode("latin-1"))[0][1] == "Füße"


@pytest.mark.parametrize("filename", ["old-name.jpg", "a", "C:\\Users\\me\\b.jpg", "/home/me/a.jpg", "", "a.png"])
def test_the_photo_is_found_by_the_stem_of_the_file_when_filename_is_stale(read: Read, filename: str) -> None:
    assert read(annotation(thing(0, 0, 9, 9), filename=filename))[0][0] == "a.jpg"


def test_filename_decides_between_two_photos_of_one_stem(folder: Any) -> None:
    folder.photo("a.jpg")
    folder.photo("a.png")
    folder.text("a.xml", annotation(thing(0, 0, 9, 9), filename="a.png"))
    assert [image.key for image in read_dataset(folder.path).images] == ["a.png"]


def test_a_photo_under_another_name_is_found_by_filename(folder: Any) -> None:
    folder.photo("JPEGImages/photo 7.JPEG")
    folder.text("Annotations/7.xml", annotation(thing(0, 0, 9, 9), filename="photo 7.JPEG"))
    dataset = read_dataset(folder.path)
    assert dataset.images[0].path == folder / "JPEGImages/photo 7.JPEG"
    assert dataset.images[0].key == "photo 7.JPEG"


def test_flags_are_kept(folder: Any) -> None:
    tags = "<difficult>1</difficult><truncated>1</truncated><occluded>1</occluded>"
    folder.photo("a.jpg")
    folder.text("a.xml", annotation(thing(0, 0, 9, 9, extra=tags), thing(0, 0, 9, 9)))
    flags = read_dataset(folder.path).boxes.flags.tolist()
    assert flags == [Flag.DIFFICULT | Flag.TRUNCATED | Flag.OCCLUDED, 0]


def test_parts_of_an_object_are_no_objects(read: Read) -> None:
    part = f"<part>{thing(1, 1, 2, 2)[8:-9]}</part>"
    assert len(read(annotation(thing(0, 0, 9, 9, extra=part)))) == 1


def test_a_photo_without_objects_is_a_negative_and_one_without_xml_is_unlabelled(folder: Any) -> None:
    folder.photo("JPEGImages/a.jpg")
    folder.photo("JPEGImages/b.jpg")
    folder.text("Annotations/a.xml", annotation())
    dataset = read_dataset(folder.path)
    assert [(image.key, image.labelled) for image in dataset.images] == [("a.jpg", True), ("b.jpg", False)]


@pytest.fixture
def devkit(folder: Any) -> Path:
    """Write four photos: train a, val b, test c, and trainval a and b; each has one object of a class of its own."""
    for name, kind in (("a", "zebra"), ("b", "cat"), ("c", "dog")):
        folder.photo(f"JPEGImages/{name}.jpg")
        folder.text(f"Annotations/{name}.xml", annotation(thing(0, 0, 9, 9, name=kind), filename=f"{name}.jpg"))
    for split, stems in (("train", "a"), ("val", "b"), ("test", "c"), ("trainval", "a b"), ("cat_train", "a -1")):
        lines = [stems] if split == "cat_train" else stems.split()
        folder.text(f"ImageSets/Main/{split}.txt", "".join(f"{line}\n" for line in lines))
    return folder.path


def test_without_a_wish_every_image_has_one_split(devkit: Path) -> None:
    dataset = read_dataset(devkit)
    assert [(image.key, image.split) for image in dataset.images] == [
        ("a.jpg", "train"),
        ("b.jpg", "val"),
        ("c.jpg", "test"),
    ]
    assert dataset.info["splits"] == ("train", "val", "test", "trainval")


def test_a_split_that_overlaps_others_can_be_asked_for(devkit: Path) -> None:
    dataset = read_dataset(devkit, split="trainval")
    assert [(image.key, image.split) for image in dataset.images] == [("a.jpg", "trainval"), ("b.jpg", "trainval")]


def test_classes_are_the_same_in_every_split(devkit: Path) -> None:
    """First seen in sorted files, not sorted by name and not by split."""
    for split in (None, "train", "val", "test"):
        assert [c.name for c in read_dataset(devkit, split=split).categories] == ["zebra", "cat", "dog"]


def test_a_list_of_spaces_takes_no_time(devkit: Path) -> None:
    """20,000 of them took 6 s: the end of a line was looked for from each."""
    names = devkit / "ImageSets/Main/train.txt"
    names.write_text(names.read_text() + "a" + " " * 200_000 + "x\n")
    start = time.process_time()
    with pytest.raises(DataError, match="is listed in ImageSets"):
        read_dataset(devkit)
    assert time.process_time() - start < 2.0


def test_lists_of_one_class_are_no_splits(devkit: Path) -> None:
    with pytest.raises(UsageError, match="it has train, val, test, trainval"):
        read_dataset(devkit, split="cat_train")


def test_a_photo_in_train_and_val_is_reported(devkit: Path) -> None:
    (devkit / "ImageSets/Main/val.txt").write_text("a\nb\n")
    dataset = read_dataset(devkit)
    assert [(found.code, found.place) for found in dataset.findings if found.code == "W115"] == [("W115", "a")]
    assert [image.split for image in dataset.images] == ["train", "val", "test"]


def test_folders_are_splits_where_xml_lies_beside_the_photos(folder: Any) -> None:
    for split in ("train", "valid", "test"):
        folder.photo(f"{split}/{split}.jpg")
        folder.text(f"{split}/{split}.xml", annotation(thing(0, 0, 9, 9), filename=f"{split}.jpg"))
    assert read_dataset(folder.path).splits == ("train", "val", "test")


@pytest.mark.parametrize(
    ("xml", "line"),
    [
        (annotation(thing(1, 2, "x", 4)), "a.xml: object 1: bndbox holds ['1', '2', 'x', '4'], not four numbers"),
        (annotation("<object><name>cat</name></object>"), "a.xml: object 1: has no bndbox"),
        (annotation(thing(1, 2, 3, 4, name=" ")), "a.xml: object 1: has no class name"),
        (annotation(thing(1, 2, "nan", 4)), "a.xml: object 1: a coordinate is not a finite number"),
        ("<annotation><object>", "a.xml: is not well-formed XML"),
    ],
)
def test_a_wrong_file_is_one_line_with_its_place(folder: Any, xml: str, line: str) -> None:
    folder.photo("a.jpg")
    folder.text("a.xml", xml)
    with pytest.raises(DataError) as caught:
        read_dataset(folder.path)
    assert str(caught.value).startswith(line)


def test_other_xml_is_none_of_ours(folder: Any) -> None:
    folder.text("a.xml", "<?xml version='1.0'?><!-- <annotation> --><annotations/>")
    assert voc.sniff(Peek(folder.path)) is None


# Writing


def coco_of(folder: Any, *boxes: list[float], **more: Any) -> Path:
    """Write a COCO file with one photo of 200 x 100 and these x, y, width, height boxes."""
    image = {"id": 1, "file_name": "a.jpg", "width": 200, "height": 100}
    annotations = [{"id": i, "image_id": 1, "category_id": 1, "bbox": b, **more} for i, b in enumerate(boxes, 1)]
    content = {"images": [image], "annotations": annotations, "categories": [{"id": 1, "name": "<a & b>"}]}
    return folder.json("c.json", content)


def test_boxes_are_written_one_based_and_inclusive(folder: Any, tmp_path: Path) -> None:
    convert(read_dataset(coco_of(folder, [0, 0, 200, 100], [9.5, 9.4, 10, 10])), tmp_path / "out", to="voc")
    text = (tmp_path / "out/Annotations/a.xml").read_text()
    numbers = [line.strip().partition("<")[2] for line in text.splitlines() if "<xm" in line or "<ym" in line]
    whole, half = numbers[:4], numbers[4:]
    assert whole == ["xmin>1</xmin>", "ymin>1</ymin>", "xmax>200</xmax>", "ymax>100</ymax>"]
    assert half == ["xmin>11</xmin>", "ymin>10</ymin>", "xmax>20</xmax>", "ymax>19</ymax>"]


def test_a_box_under_a_pixel_keeps_the_pixel_of_its_centre(folder: Any, tmp_path: Path, rows: Any) -> None:
    """9.6 to 9.9 rounds to nothing; pixel [9, 10) holds it."""
    convert(read_dataset(coco_of(folder, [9.6, 9.6, 0.3, 0.3])), tmp_path / "out", to="voc")
    assert rows(read_dataset(tmp_path / "out"))[0][2] == (9.0, 9.0, 10.0, 10.0)


def test_names_are_escaped(folder: Any, tmp_path: Path, rows: Any) -> None:
    convert(read_dataset(coco_of(folder, [0, 0, 9, 9])), tmp_path / "out", to="voc")
    assert rows(read_dataset(tmp_path / "out"))[0][1] == "<a & b>"


def test_a_crowd_is_difficult_to_others_and_a_crowd_to_us(folder: Any, tmp_path: Path) -> None:
    convert(read_dataset(coco_of(folder, [0, 0, 9, 9], iscrowd=1)), tmp_path / "out", to="voc")
    assert "<difficult>1</difficult>" in (tmp_path / "out/Annotations/a.xml").read_text()
    assert read_dataset(tmp_path / "out").boxes.flags.tolist() == [Flag.CROWD]
