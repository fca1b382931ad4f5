"""Targets that are known give what finding them anew gives, to the bit."""

import pytest
import torch

from focalcli.config import AnchorConfig, LossConfig
from focalcli.detection.anchors import pyramid_anchors
from focalcli.detection.targets import Objects, build_targets, pad_objects
from focalcli.training import known_targets
from focalcli.training.known_targets import KnownTargets
from focalcli.training.samples import Key

SIZES = [(128, 160), (160, 128), (128, 192)]


def anchors_of(size: tuple[int, int]) -> torch.Tensor:
    return torch.cat(pyramid_anchors(AnchorConfig(), size))


def objects(views: list[int]) -> Objects:
    """Objects of views by number: view 0 has none, view i has 2 i of them, the last one tiny."""
    boxes, classes = [], []
    for view in views:
        generator = torch.Generator().manual_seed(view)
        corner, size = torch.rand(2 * view, 2, generator=generator) * 60, torch.rand(2 * view, 2, generator=generator)
        sides = 8 + size * 60
        sides[-1:] = 2
        boxes.append(torch.cat([corner, corner + sides], 1))
        classes.append(torch.randint(0, 5, (2 * view,), generator=generator))
    return pad_objects(boxes, classes)


def assert_same(one: tuple[torch.Tensor, ...], other: tuple[torch.Tensor, ...]) -> None:
    for a, b in zip(one, other, strict=True):
        assert a.dtype == b.dtype and torch.equal(a, b)


@pytest.mark.parametrize("room", [1 << 20, 3000, 0])
def test_known_targets_are_those_found_anew(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Views meet in other batches each time, at several input sizes; what does not fit is found anew."""
    found = []

    def counted(*arguments: object) -> object:
        found.append(arguments)
        return build_targets(*arguments)

    monkeypatch.setattr(known_targets, "build_targets", counted)
    known, generator = KnownTargets(LossConfig(), room=room), torch.Generator().manual_seed(0)
    batches = [torch.randperm(5, generator=generator)[: 1 + i % 4].tolist() for i in range(24)]
    for size in SIZES:
        for views in batches:
            targets = known.of([Key(0, view) for view in views], objects(views), anchors_of(size), size)
            assert_same(targets, build_targets(objects(views), anchors_of(size), LossConfig()))
    assert known.room >= 0
    assert (len(found) < 30) == (room == 1 << 20)


def test_no_view_and_no_object_have_no_positives() -> None:
    known = KnownTargets(LossConfig())
    for _ in range(2):
        targets = known.of([Key(0, 0)], objects([0]), anchors_of(SIZES[0]), SIZES[0])
        assert len(targets.positives) == 0 and (targets.classes == -1).all() and targets.forced.tolist() == [0]
