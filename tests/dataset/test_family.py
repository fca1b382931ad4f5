"""One ground truth, written by hand in every format (`family`): all of them read to the same photos and boxes."""

from pathlib import Path

import numpy as np
import pytest

from focalcli.cli.console import run
from focalcli.dataset import source
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.formats import table
from focalcli.dataset.read import read_dataset
from focalcli.dataset.recognise import candidates
from focalcli.errors import DataError
from tests.dataset.family import FAMILY, SIZES, TRUTH, WRITABLE, lay


def told(dataset) -> dict[str, set[tuple[object, ...]]]:
    found: dict[str, set[tuple[object, ...]]] = {Path(image.key).stem: set() for image in dataset.images}
    for row, xyxy in enumerate(np.round(dataset.boxes.xyxy, 6).tolist()):
        key = Path(dataset.images[dataset.boxes.image[row]].key).stem
        found[key].add((dataset.categories[dataset.boxes.category[row]].name, *xyxy))
    return found


def test_every_format_has_a_member():
    assert {name.partition(",")[0] for name in FAMILY} == set(table.FORMATS)


@pytest.mark.parametrize("member", FAMILY)
def test_every_member_reads_to_the_same_truth(member, tmp_path):
    dataset = read_dataset(lay(tmp_path, member))
    assert dataset.format == member.partition(",")[0]
    assert told(dataset) == TRUTH
    assert {Path(image.key).stem: (image.width, image.height) for image in dataset.images} == SIZES
    assert all(image.path is not None and image.labelled for image in dataset.images)
    assert {category.name for category in dataset.categories} == {"cat", "dog"}


@pytest.mark.parametrize("member", FAMILY)
def test_no_format_claims_the_files_of_another(member, tmp_path):
    claims = candidates(lay(tmp_path, member))
    assert list(claims) == [member.partition(",")[0]], claims


@pytest.mark.parametrize("member", FAMILY)
def test_convert_reads_each_by_recognition_and_by_name(member, tmp_path, capsys):
    root, name = lay(tmp_path / "in", member), member.partition(",")[0]
    assert run(["convert", str(root), str(tmp_path / "a"), "--to", "coco"]) == 0
    assert "read as " in capsys.readouterr().err
    assert run(["convert", str(root), str(tmp_path / "b"), "--to", "coco", "--from", name]) == 0
    assert told(read_dataset(tmp_path / "a")) == told(read_dataset(tmp_path / "b")) == TRUTH


@pytest.mark.parametrize("name", WRITABLE)
def test_convert_writes_each(name, tmp_path):
    root = lay(tmp_path / "in", "coco")
    assert run(["convert", str(root), str(tmp_path / "out"), "--to", name]) == 0
    dataset = read_dataset(tmp_path / "out")
    assert dataset.format == name and told(dataset) == TRUTH


@pytest.mark.parametrize("member", FAMILY)
def test_a_photo_that_is_a_link_out_of_the_set_is_refused(member, tmp_path):
    root = lay(tmp_path / "in", member)
    photo = next(root.rglob("a.png"))
    photo.rename(tmp_path / "outside.png")
    photo.symlink_to(tmp_path / "outside.png")
    with pytest.raises(DataError, match="is a symbolic link out of the data set"):
        read_dataset(root)
    assert told(read_dataset(root, options=ReadOptions(follow_symlinks=True))) == TRUTH


@pytest.mark.parametrize("member", FAMILY)
def test_a_file_over_its_cap_is_refused(member, tmp_path, monkeypatch):
    root = lay(tmp_path, member)
    monkeypatch.setattr(source, "CAP", 4)
    monkeypatch.setattr(source, "CAPS", {})
    with pytest.raises(DataError, match="is over the limit of"):
        read_dataset(root)


@pytest.mark.parametrize("member", FAMILY)
def test_reading_and_converting_leave_the_source_as_it_was(member, tmp_path):
    root = lay(tmp_path / "in", member)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert run(["convert", str(root), str(tmp_path / "out"), "--to", "coco", "--images", "link"]) == 0
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
