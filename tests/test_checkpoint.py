"""Model files: whole round trip, same bytes, and one clear error for everything that is no model file."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from focalcli.checkpoint import (
    load_checkpoint,
    load_model,
    load_training_state,
    read_header,
    save_model,
    save_training_state,
)
from focalcli.config import ClassInfo, ModelConfig, model_config
from focalcli.detection.retinanet import RetinaNet, build_retinanet
from focalcli.errors import DataError, FocalError, InputNotFound, IoError
from tests.faults import no_file_over


@pytest.fixture(scope="module")
def model() -> RetinaNet:
    torch.manual_seed(0)
    return build_retinanet(model_config("lite0", (ClassInfo("Möwe \n[b]", 90), ClassInfo("2", -1)))).eval()


@pytest.fixture(scope="module")
def saved(model: RetinaNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "best.safetensors"
    save_model(path, model.state_dict(), model.config, {"AP": 0.5})
    return path


def test_a_model_comes_back_whole(model: RetinaNet, saved: Path) -> None:
    loaded = load_model(saved)
    assert loaded.config == model.config and not loaded.training
    images = torch.randint(0, 255, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        for one, other in zip(model(images).logits, loaded(images).logits, strict=True):
            assert torch.equal(one, other)
    assert read_header(saved)[1] == {"AP": 0.5}


def test_the_same_model_gives_the_same_bytes(model: RetinaNet, saved: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "again", model.state_dict(), model.config, {"AP": 0.5})
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def test_a_missing_file_is_input_not_found(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="no such model file"):
        load_model(tmp_path / "none.safetensors")


@pytest.mark.parametrize("content", [b"", b"weights, honestly\n" * 20, b"\x80\x04K\x01.", b"\xff" * 64], ids=repr)
def test_what_is_no_model_file_is_a_data_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "best.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"best\.safetensors: not a safetensors file"):
        load_model(path)


def test_a_cut_file_is_a_data_error(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    path = tmp_path / "cut.safetensors"
    for share in range(0, 100, 9):
        path.write_bytes(content[: len(content) * share // 100])
        with pytest.raises(DataError):
            load_model(path)


def test_somebody_elses_safetensors_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(DataError, match="not a focalcli model"):
        load_model(tmp_path / "other.safetensors")


def test_weights_of_another_shape_and_not_a_number_are_refused(model: RetinaNet, tmp_path: Path) -> None:
    state = dict(model.state_dict())
    name = "head.classification_head.cls_logits.bias"
    for change, message in ((torch.zeros(3), "do not fit"), (state[name] * float("nan"), "not finite")):
        save_model(tmp_path / "bad", {**state, name: change}, model.config)
        with pytest.raises(DataError, match=message):
            load_model(tmp_path / "bad")


def test_a_newer_schema_is_named(model: RetinaNet, tmp_path: Path) -> None:
    class Newer(ModelConfig, frozen=True, kw_only=True):
        dreams: int = 7

    fields = {name: getattr(model.config, name) for name in model.config.__struct_fields__}
    save_model(tmp_path / "newer", {"a": torch.zeros(1)}, Newer(**fields))
    with pytest.raises(DataError, match="dreams"):
        load_checkpoint(tmp_path / "newer")


def test_a_training_state_comes_back(tmp_path: Path) -> None:
    state = {"step": 3, "model": {"a": torch.ones(2)}, "list": [1, None, "x"]}
    save_training_state(tmp_path / "last.pt", state)
    loaded = load_training_state(tmp_path / "last.pt")
    assert loaded["step"] == 3 and torch.equal(loaded["model"]["a"], torch.ones(2)) and loaded["list"] == [1, None, "x"]


def test_the_same_state_gives_the_same_bytes_under_any_name(tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        save_training_state(tmp_path / name, {"model": {"a": torch.ones(2)}, "step": 3})
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


@pytest.mark.parametrize("links", [True, False])
def test_the_state_before_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """Under a second name, so that there is always a last one; moved where the disk has no links."""
    if not links:
        monkeypatch.setattr("os.link", lambda source, target: open(tmp_path / "none" / "here"))
    last, previous = tmp_path / "last.pt", tmp_path / "last.previous.pt"
    for step in (1, 2, 3):
        save_training_state(last, {"step": step}, previous=previous)
    assert [load_training_state(path)["step"] for path in (last, previous)] == [3, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.previous.pt", "last.pt"]


def test_there_is_a_last_state_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at before and after every renaming."""
    last, previous, seen = tmp_path / "last.pt", tmp_path / "last.previous.pt", []
    save_training_state(last, {"step": 1}, previous=previous)
    replace = os.replace

    def watched(source: Path, target: Path) -> None:
        seen.append(load_training_state(last)["step"])
        replace(source, target)
        seen.append(load_training_state(last)["step"])

    monkeypatch.setattr("os.replace", watched)
    save_training_state(last, {"step": 2}, previous=previous)
    assert seen == [1, 1, 1, 2]


def test_a_full_disk_costs_neither_state(tmp_path: Path) -> None:
    """A limit on file sizes stands for the full disk; torch's own message speaks of an unexpected position."""
    last, previous = tmp_path / "last.pt", tmp_path / "last.previous.pt"
    for step in (1, 2):
        save_training_state(last, {"step": step}, previous=previous)
    for floats in (10_000, 1_000_000):  # fails when the file is closed, and in the middle
        with no_file_over(30_000), pytest.raises(IoError) as error:
            save_training_state(last, {"step": 3, "a": torch.zeros(floats)}, previous=previous)
        assert str(error.value).startswith(f"{last}: file too large, free {4 * floats:,} bytes or more")
    assert [load_training_state(path)["step"] for path in (last, previous)] == [2, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.previous.pt", "last.pt"]


class Evil:
    """Pickles into a call."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.mkdir, (str(self.marker),)


def test_a_pickle_with_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    torch.save({"model": Evil(tmp_path / "marker")}, tmp_path / "last.pt")
    with pytest.raises(DataError):
        load_training_state(tmp_path / "last.pt")
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04half a zip"], ids=repr)
def test_a_damaged_training_state_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(FocalError, match="not a training state, or damaged"):
        load_training_state(tmp_path / "last.pt")
