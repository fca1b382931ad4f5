"""Training on a frozen backbone: with and without features kept on disk the losses are the same."""

from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from focalcli.errors import ConfigError, IoError
from focalcli.ranks.world import World
from focalcli.train_config import TrainConfig
from focalcli.training.cached_features import bytes_needed, content_name
from focalcli.training.feature_store import FeatureStore, View
from focalcli.training.fixed_views import fixed_views
from focalcli.training.frozen import padded
from focalcli.training.journal import read_records
from focalcli.training.loop import begin
from focalcli.training.prepare import Plan, prepare
from focalcli.training.samples import Key
from tests.training.small import FAST, digest, write_squares
from tests.training.test_run import trained

ALONE = World(0, 1, torch.device("cpu"))
FROZEN = msgspec.structs.replace(FAST, freeze="backbone", views=2, epochs=3, eval_every=9, batch=3, val_split="off")


def losses(folder: Path) -> list[float]:
    return [record["loss"] for record in read_records(folder / "metrics.jsonl") if record["kind"] == "step"]


@pytest.mark.e2e
def test_losses_are_those_without_a_store(squares: Path, tmp_path: Path) -> None:
    """Photos of two shapes, mixed in some batches, two views each: the third epoch computes no feature."""
    plain = trained(squares, tmp_path / "plain", FROZEN).folder
    kept = msgspec.structs.replace(FROZEN, cache_features=str(tmp_path / "store"))
    cached = trained(squares, tmp_path / "cached", kept).folder
    assert len(list((tmp_path / "store").rglob("*.safetensors"))) == 8 * 2
    assert losses(cached.path) == pytest.approx(losses(plain.path), rel=1e-5)
    again = trained(squares, tmp_path / "again", msgspec.structs.replace(kept, workers=1)).folder
    assert digest(again.best) == digest(cached.best)


@pytest.mark.e2e
def test_a_training_that_was_stopped_ends_with_the_same_bytes(squares: Path, tmp_path: Path) -> None:
    """Stopped in the second epoch, with some views of a batch lost, and a store that holds only 3 of 8 photos."""
    config = msgspec.structs.replace(FROZEN, cache_limit=220 / 2**20)
    straight, stopped = (
        msgspec.structs.replace(config, cache_features=str(tmp_path / name)) for name in ("store-1", "store-2")
    )
    whole = trained(squares, tmp_path / "straight", straight).folder
    trained(squares, tmp_path / "stopped", stopped, stop_after=5)
    kept = sorted((tmp_path / "store-2").rglob("*.safetensors"))
    assert len({path.name for path in kept}) == 3
    kept[0].unlink()
    resumed = trained(squares, tmp_path / "stopped", stopped, resume=True).folder
    assert digest(resumed.best) == digest(whole.best)


def view(value: float) -> View:
    levels = [torch.full((2, 3, 4), value, dtype=torch.bfloat16) for _ in range(3)]
    return View(levels, np.array([[1.0, 2, 3, 4]]), np.array([7]))


def test_a_view_comes_back_bit_by_bit(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, "name", 1 << 20)
    assert store.get(Key(0, 5)) is None
    assert store.put(Key(0, 5), view(1.5)) and store.put(Key(1, 5), view(2.5))
    found = FeatureStore(tmp_path, "name", 0).get(Key(1, 5))
    assert found is not None and torch.equal(torch.stack(found.levels), torch.stack(view(2.5).levels))
    assert found.boxes.tolist() == [[1, 2, 3, 4]] and found.classes.tolist() == [7]


def test_the_limit_counts_what_other_settings_left(tmp_path: Path) -> None:
    one = FeatureStore(tmp_path, "one", 1 << 20)
    one.put(Key(0, 0), view(0))
    limit = 2 * one.used + 10
    two = FeatureStore(tmp_path, "two", limit)
    assert two.used == one.used and two.mine == 0
    assert two.put(Key(0, 0), view(0)) and not two.put(Key(0, 1), view(0))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors")) <= limit


def test_a_view_that_was_cut_off_is_computed_anew(tmp_path: Path) -> None:
    """A file of another length than it says, as a crash of the machine may leave it."""
    store = FeatureStore(tmp_path, "name", 1 << 20)
    store.put(Key(0, 0), view(0))
    [path] = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-5])
    assert store.get(Key(0, 0)) is None
    assert store.put(Key(0, 0), view(3)) and store.get(Key(0, 0)) is not None


def test_features_are_padded_with_zeros() -> None:
    """A 1 x 2 map of ones and a 2 x 1 map of twos share 2 x 2 cells."""
    both = padded([torch.ones(1, 2, 1), torch.full((2, 1, 1), 2.0)])
    assert both.flatten(1).tolist() == [[1, 1, 0, 0], [2, 0, 2, 0]]
    assert both.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("settings", "views"),
    [
        ({}, 0),
        ({"views": 3}, 3),
        ({"cache_features": "x", "freeze": "backbone"}, 4),
        ({"cache_features": "x", "freeze": "backbone", "augment": "none", "flip": "none"}, 1),
    ],
)
def test_cached_photos_have_fixed_views(settings: dict[str, str], views: int) -> None:
    assert fixed_views(msgspec.structs.replace(TrainConfig(), **settings)) == views


def test_what_cannot_be_cached_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"the backbone is trained \(--freeze stem\), add --freeze backbone"):
        fixed_views(TrainConfig(cache_features="x"))
    with pytest.raises(ConfigError, match=r"never seen twice, say how many fixed --views"):
        fixed_views(TrainConfig(cache_features="x", freeze="backbone", views=0))


def test_the_name_follows_all_that_decides_the_features(tmp_path: Path) -> None:
    data = write_squares(tmp_path)
    plan = prepare(FROZEN, data)
    model = begin(plan, ALONE).model

    def name(plan: Plan = plan, precision: torch.dtype = torch.float32, ranks: int = 1) -> str:
        return content_name(plan, model, precision, ranks)

    assert name(prepare(msgspec.structs.replace(FROZEN, lr=0.5, epochs=9), data)) == name()
    names = [name(), name(precision=torch.bfloat16), name(ranks=2)]
    for changes in ({"seed": 1}, {"augment": "none"}, {"flip": "none"}, {"min_size": 80}, {"max_size": 128}):
        names.append(name(prepare(msgspec.structs.replace(FROZEN, **changes), data)))
    names.append(name(replace(plan, model=msgspec.structs.replace(plan.model, data_fingerprint="other boxes"))))
    with torch.no_grad():
        next(model.backbone.body.parameters())[0] += 1
    names.append(name())
    photo = plan.train.images[0].path
    assert photo is not None
    photo.write_bytes(photo.read_bytes() + b" ")
    assert len({*names, name()}) == len(names) + 1


def test_room_is_asked_for_before_the_first_step(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """lite0 at stride 8, 16, 32: 40 / 64 + 112 / 256 + 320 / 1024 = 1.375 numbers a pixel; 4 photos each of 64 x 64
    and 64 x 96, 2 views, 4 bytes a number: 450,560 bytes = 440 KiB. Half of that holds 3.8 photos with headroom."""
    config = msgspec.structs.replace(FROZEN, cache_features=str(tmp_path / "store"), cache_limit=220 / 2**20)
    training = begin(prepare(config, squares), ALONE)
    assert training.backbone is not None
    assert bytes_needed(training.plan, training.model, torch.float32) == 450560
    assert "2 views a photo, about 0.00 GiB, 0.00 of it there" in training.notes()[-1]
    assert "holds those of 3 of 8 photos" in training.notes()[-1]
    monkeypatch.setattr("shutil.disk_usage", lambda path: namedtuple("Usage", "free")(1000))
    with pytest.raises(IoError, match="lower --cache-limit"):
        training.notes()
