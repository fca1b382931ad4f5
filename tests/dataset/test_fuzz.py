"""A short round of `fuzz` in every run; the long one is `python -m tests.soak readers`."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focalcli.dataset.format import ReadOptions
from focalcli.dataset.read import read_dataset
from focalcli.errors import DataError, FocalError
from tests.dataset.fuzz import MEMBERS, attempt, lay_member, no_longer_than


@pytest.mark.parametrize("member", MEMBERS)
def test_changed_annotations_are_read_or_refused_in_one_line(member: str, tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    files = lay_member(root, member)
    assert read_dataset(root).images, "unchanged, it is read"
    for seed in range(8):
        with no_longer_than(10):
            attempt(root, files, member.partition(",")[0], random.Random(seed), tmp_path / "out")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(member=st.sampled_from(MEMBERS), dice=st.randoms())
def test_what_hypothesis_changes_is_read_or_refused_in_one_line(
    member: str, dice: random.Random, tmp_path: Path
) -> None:
    root = tmp_path / member / "in"
    files = lay_member(root, member)
    attempt(root, files, member.partition(",")[0], dice, root.parent / "out")


@pytest.mark.parametrize("member", MEMBERS)
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(member: str, tmp_path: Path) -> None:
    """Neither where an annotation file is expected nor where a photo is."""
    root = tmp_path / "in"
    annotations = lay_member(root, member)[0]
    photo = next(root.rglob("a.png"))
    for path in (photo, annotations):
        path.unlink()
        os.mkfifo(path)
        with no_longer_than(5):
            for options in (ReadOptions(), ReadOptions(lenient=True)):
                try:
                    read_dataset(root, format=member.partition(",")[0], options=options)
                except FocalError as error:
                    assert "\n" not in str(error)


def test_what_fuzzing_has_found_stays_refused(tmp_path: Path) -> None:
    """Each of these was once a traceback: no disk holds such a name, no float such a class, no photo such a side."""
    for number, (member, name, content) in enumerate(FOUND):
        root = tmp_path / str(number) / "in"
        lay_member(root, member)
        (root / name).write_text(content)
        with pytest.raises(DataError) as caught:
            read_dataset(root)
        assert "\n" not in str(caught.value)


FOUND = [
    ("yolo", "data.yaml", f"train: {'a' * 300}\nval: images\nnames: [cat]\n"),
    ("yolo", "data.yaml", "train: images\nval: images\nnames: ['\x1b[31m']\n"),
    ("yolo", "labels/a.txt", "1e999 .5 .5 .1 .1\n"),
    ("yolo,rich", "list.txt", "./C:/x.png\n"),
    ("tfod", "a.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\nz.png,9e99,9,cat,1,1,5,5\n"),
]
