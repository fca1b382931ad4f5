"""The three states by hand, the best-anchor rule, and batches equal to single images."""

import torch

from focalcli.config import LossConfig
from focalcli.detection.matching import State, match
from focalcli.detection.targets import BACKGROUND, IGNORED, build_targets, pad_objects

ANCHORS = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 22], [0, 0, 10, 30], [50, 50, 60, 60], [0, 0, 40, 40]])


def matched(boxes: list[list[float]]) -> tuple[list[int], list[int], list[bool]]:
    objects = torch.tensor(boxes, dtype=torch.float32).reshape(1, -1, 4)
    found = match(objects, torch.ones(1, len(boxes), dtype=torch.bool), ANCHORS, object_iou=0.5, background_iou=0.4)
    return found.state[0].tolist(), found.object_index[0].tolist(), found.forced[0].tolist()


def test_without_objects_all_is_background() -> None:
    assert matched([])[0] == [State.BACKGROUND] * 5


def test_three_states_by_hand() -> None:
    """Object 10 x 10: overlaps 1, 100/220 = .4545, 100/300 = .33, 0, 100/1600."""
    state, _, forced = matched([[0, 0, 10, 10]])
    assert state == [State.OBJECT, State.IGNORE, State.BACKGROUND, State.BACKGROUND, State.BACKGROUND]
    assert forced == [False]


def test_an_object_that_no_anchor_fits_keeps_its_best() -> None:
    """Object 4 x 4 inside the first anchor overlaps it by .16, others less."""
    state, index, forced = matched([[50, 50, 60, 60], [3, 3, 7, 7]])
    assert state[0] == State.OBJECT and index[0] == 1
    assert state[3] == State.OBJECT and index[3] == 0
    assert forced == [False, True]


def test_an_object_that_touches_no_anchor_gets_none() -> None:
    state, _, forced = matched([[200, 200, 210, 210]])
    assert State.OBJECT not in state and forced == [False]


def test_a_batch_gives_what_its_images_give_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    anchors = torch.rand(500, 2, generator=generator).mul(100).repeat(1, 2) + torch.tensor([0.0, 0, 16, 16])
    images = []
    for count in (0, 3, 40):
        corner = torch.rand(count, 2, generator=generator) * 90
        images.append(torch.cat([corner, corner + 5 + 20 * torch.rand(count, 2, generator=generator)], 1))
    classes = [torch.arange(len(boxes)) for boxes in images]
    together = build_targets(pad_objects(images, classes), anchors, LossConfig())
    for i, (boxes, labels) in enumerate(zip(images, classes, strict=True)):
        alone = build_targets(pad_objects([boxes], [labels]), anchors, LossConfig())
        assert torch.equal(together.classes[i], alone.classes[0])
        rows = together.positives // 500 == i
        assert torch.equal(together.deltas[rows], alone.deltas)


def test_targets_by_hand() -> None:
    objects = pad_objects(
        [torch.tensor([[0.0, 0, 10, 10]]), torch.zeros(0, 4)], [torch.tensor([7]), torch.tensor([]).long()]
    )
    targets = build_targets(objects, ANCHORS, LossConfig())
    assert targets.classes.tolist() == [[7, IGNORED, BACKGROUND, BACKGROUND, BACKGROUND], [BACKGROUND] * 5]
    assert targets.positives.tolist() == [0] and targets.forced.tolist() == [0, 0]
    assert targets.boxes.tolist() == [[0, 0, 10, 10]] and targets.deltas.tolist() == [[0, 0, 0, 0]]


def test_padding_is_no_object() -> None:
    """The padded row of the second image must not win an anchor, not even one at the origin."""
    objects = pad_objects(
        [torch.rand(5, 4).sort().values * 50, torch.tensor([[50.0, 50, 60, 60]])],
        [torch.zeros(5).long(), torch.ones(1).long()],
    )
    targets = build_targets(objects, ANCHORS, LossConfig())
    assert targets.classes[1].tolist() == [BACKGROUND] * 3 + [1, BACKGROUND]
