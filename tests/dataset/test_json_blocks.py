"""Decoding a long array block by block gives what decoding it at once gives."""

import json
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focalcli.dataset import json_blocks
from focalcli.dataset.json_blocks import array_blocks
from focalcli.dataset.read import read_dataset
from focalcli.errors import DataError


class Row(msgspec.Struct):
    """One object: what is not named here is passed over."""

    id: int
    text: str = ""


inner = st.recursive(
    st.sampled_from(["", '"},{"id":7', "}, {", '\\"', "]"]) | st.integers(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from("ab{},"), children, max_size=3),
    max_leaves=6,
)


@given(st.lists(inner, max_size=12), st.integers(1, 60), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_blocks_put_together_are_the_array(
    things: list[object], block: int, indent: int | str | None, raw: bool
) -> None:
    """Whatever else the objects hold, however the array is laid out, and wherever a block would end."""
    rows = [{"more": thing, "id": i, "text": str(thing)} for i, thing in enumerate(things)]
    content = json.dumps(rows, indent=indent).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_blocks, "BLOCK", block)
        found = [*chain.from_iterable(array_blocks(msgspec.Raw(content) if raw else content, Row))]
    assert found == msgspec.json.decode(content, type=list[Row])


@pytest.mark.parametrize("text", ["", "{}", "null", "[", '[{"id":1},]', '[{"id":1}{"id":2}]', '[{"id":1}] []', "[1]"])
def test_what_is_no_array_of_such_objects_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_blocks, "BLOCK", 1)
    with pytest.raises(msgspec.DecodeError):
        [*array_blocks(text.encode(), Row)]


def test_a_coco_file_in_blocks_is_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines count on over blocks, and the error of a late annotation names its place in the file."""
    monkeypatch.setattr(json_blocks, "BLOCK", 200)
    annotations = [
        {"id": 100 + i, "image_id": 1, "category_id": 1, "bbox": [i, 1, 2, 3], "attributes": {"of": [{"n": i}, {}]}}
        for i in range(30)
    ]
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 99, "height": 9}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cat"}],
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps(coco))
    boxes = read_dataset(path).boxes
    assert boxes.origin_line.tolist() == [*range(1, 31)] and boxes.source_id.tolist() == [*range(100, 130)]
    assert boxes.xyxy[:, 0].tolist() == [*range(30)]
    annotations[25]["bbox"] = [1, 2, 3]
    path.write_text(json.dumps(coco))
    with pytest.raises(DataError, match=r"\$\.annotations\[25\]\.bbox"):
        read_dataset(path)
