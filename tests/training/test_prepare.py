"""Settings of a loss become the model's, once: what is stored, echoed, and exported."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from focalcli.config import LossConfig
from focalcli.dataset.read import read_dataset
from focalcli.errors import ConfigError
from focalcli.training import prepare as preparing
from focalcli.training.preflight import doubts
from focalcli.training.prepare import prepare, resolve_model
from tests.training.small import FAST


def loss_of(squares: Path, **settings: Any) -> LossConfig:
    return resolve_model(msgspec.structs.replace(FAST, **settings), read_dataset(squares, split="train")).loss


@pytest.mark.parametrize(
    ("settings", "alpha"),
    [
        ({"gamma": 0.0}, 0.75),
        ({"gamma": 0.5}, 0.5),
        ({"gamma": 3.0}, 0.25),
        ({"loss": "balanced-ce"}, 0.75),  # the row of gamma 0, whatever --gamma says
        ({"alpha": "none"}, None),
        ({"alpha": "0.4"}, 0.4),
    ],
)
def test_alpha_is_a_number_or_off_or_follows_gamma(
    squares: Path, settings: dict[str, Any], alpha: float | None
) -> None:
    assert loss_of(squares, **settings).alpha == alpha


def test_ohem_is_told_its_examples_its_overlap_and_its_balance(squares: Path) -> None:
    loss = loss_of(squares, loss="ohem", ohem_examples=256, ohem_nms=None, ohem_balanced=True)
    assert (loss.kind, loss.ohem_examples, loss.ohem_nms, loss.ohem_balanced) == ("ohem", 256, None, True)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"alpha": "1.5"}, "--alpha: '1.5' is no number from 0 to 1, give one, `auto` or `none`"),
        ({"alpha": "nan"}, "--alpha: 'nan' is no number from 0 to 1, give one, `auto` or `none`"),
        ({"alpha": "much"}, "--alpha: 'much' is no number from 0 to 1, give one, `auto` or `none`"),
        ({"loss": "focal-star", "gamma": 0.0}, "loss: focal-star divides by gamma, which is 0"),
        ({"loss": "varifocal", "label_smoothing": 0.1}, "loss: varifocal has soft targets already"),
    ],
)
def test_constants_that_cannot_be_are_refused_before_the_start(
    squares: Path, settings: dict[str, Any], line: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loss_of(squares, **settings)
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"gamma": 6.0}, "gamma 6 is above 5"),
        ({"gamma": 0.0, "alpha": "0.1"}, "alpha 0.1 is far from 0.75"),
        ({"loss": "balanced-ce", "alpha": "0.1"}, "alpha 0.1 is far from 0.75, the best for gamma 0"),
    ],
)
def test_a_doubtful_pair_is_warned_of(squares: Path, settings: dict[str, Any], word: str) -> None:
    train = read_dataset(squares, split="train")
    config = msgspec.structs.replace(FAST, anchor_size=14.0, **settings)
    [warning] = doubts(resolve_model(config, train), train, force=False)
    assert warning.startswith(f"warning: {word}")


@pytest.mark.parametrize(
    ("told", "reads", "validates"),
    [
        ({}, [None, "train", "val"], True),
        ({"train_split": "val", "val_split": "off"}, ["val"], False),
        ({"train_split": "train", "val_split": "val"}, ["train", "val"], True),
        ({"train_split": "val"}, [None, "val"], False),
    ],
)
def test_a_set_is_read_as_often_as_it_takes(
    told: dict[str, str], reads: list[str | None], validates: bool, squares: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def counted(path: Path, **options: Any) -> Any:
        seen.append(options.get("split"))
        return read_dataset(path, **options)

    monkeypatch.setattr(preparing, "read_dataset", counted)
    plan = prepare(msgspec.structs.replace(FAST, **told), squares)
    assert seen == reads and (plan.val is not None) == validates
    assert plan.train.splits == (told.get("train_split", "train"),)


def test_splits_that_only_photos_name_count(squares: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a format that says of each photo where it belongs, and no more."""

    def silent(path: Path, **options: Any) -> Any:
        whole = read_dataset(path, **options)
        return whole if options.get("split") else replace(whole, info={**whole.info, "splits": ()})

    monkeypatch.setattr(preparing, "read_dataset", silent)
    plan = prepare(FAST, squares)
    assert plan.train.splits == ("train",) and plan.val is not None
