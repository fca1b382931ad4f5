"""`focalcli demo` writes the same readable data set for the same seed, all or nothing."""

import hashlib
import json
from pathlib import Path

import pytest

from focalcli.cli.console import run
from focalcli.dataset.read import read_dataset


def digest(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def demo(folder: Path, *options: str) -> dict[str, str]:
    assert run(["demo", str(folder), "--photos", "12", "--size", "160", *options]) == 0
    return digest(folder)


def test_it_prints_the_folder_and_says_what_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo(tmp_path / "bay")
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'bay'}\n"
    assert "12 photos" in err and "of class orca" in err and f"focalcli train {tmp_path / 'bay'}" in err


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    first, again, other = (demo(tmp_path / name, "--seed", seed) for name, seed in (("a", "4"), ("b", "4"), ("c", "5")))
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


def test_two_thirds_are_for_training(tmp_path: Path) -> None:
    files = demo(tmp_path / "bay")
    counts = {split: sum(name.startswith(f"images/{split}/") for name in files) for split in ("train", "val", "test")}
    assert counts == {"train": 8, "val": 2, "test": 2}


def test_ids_and_names_are_unique_over_all_splits(tmp_path: Path) -> None:
    demo(tmp_path / "bay")
    files = [json.loads(path.read_text()) for path in sorted((tmp_path / "bay" / "annotations").iterdir())]
    for table, field in (("images", "id"), ("images", "file_name"), ("annotations", "id")):
        values = [row[field] for file in files for row in file[table]]
        assert len(values) == len(set(values)) > 0


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_it_reads_back_without_findings(tmp_path: Path, split: str) -> None:
    demo(tmp_path / "bay")
    dataset = read_dataset(tmp_path / "bay", split=split)
    assert not dataset.findings
    assert [category.name for category in dataset.categories] == ["buoy", "boat", "orca"]
    assert all(image.path is not None and image.path.is_file() for image in dataset.images)
    assert (dataset.boxes.area > 0).all()


def test_a_full_folder_is_refused_and_overwrite_replaces_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.txt").write_text("old")
    assert run(["demo", str(tmp_path)]) == 73
    assert "not an empty folder" in capsys.readouterr().err
    demo(tmp_path, "--overwrite")
    assert not (tmp_path / "old.txt").exists()


@pytest.mark.parametrize("option", [["--photos", "5"], ["--size", "10"], ["--seed", "-1"]], ids=" ".join)
def test_numbers_out_of_range_are_usage_errors(tmp_path: Path, option: list[str]) -> None:
    assert run(["demo", str(tmp_path / "bay"), *option]) == 2
    assert not (tmp_path / "bay").exists()
