"""Bootstrap and comparison: A against itself is exactly 0, a worse model is told from luck."""

import numpy as np
import pytest

from focalcli.evaluation.bootstrap import draws, interval
from focalcli.evaluation.coco import evaluate, matches_of
from focalcli.evaluation.compare import compare
from focalcli.evaluation.reasons import intervals
from tests.evaluation.cases import dataset, predictions


def scene(images: int, seed: int = 0) -> tuple[object, object]:
    rng = np.random.default_rng(seed)
    objects = [(i, int(rng.integers(2)), *rng.uniform(0, 60, 2), 25, 25) for i in range(images) for _ in range(4)]
    found = [(*row[:2], row[2] + rng.normal(0, 2.5), *row[3:], rng.random()) for row in objects for _ in range(2)]
    return dataset(*objects, images=images), predictions(*found)


def test_draws_are_as_many_as_the_images_and_the_same_for_a_seed() -> None:
    one, other = list(draws(7, 5, 3)), list(draws(7, 5, 3))
    assert [int(weights.sum()) for weights in one] == [7] * 5
    assert np.array_equal(one, other)


def test_an_interval_leaves_out_what_could_not_be_measured() -> None:
    assert interval(np.array([np.nan, 0.5, 0.5])) == (0.5, 0.5)
    assert np.isnan(interval(np.array([np.nan]))).all()


def test_intervals_hold_the_point_estimates() -> None:
    data, found = scene(30)
    matches = matches_of(data, found)
    values = evaluate(data, found).values
    for name, (low, high) in intervals(matches, resamples=100, seed=0).items():
        if not np.isnan(values[name]):
            assert low <= values[name] <= high, name
            assert high - low < 0.25, name


def test_a_model_against_itself_differs_by_exactly_nothing() -> None:
    data, found = scene(10)
    matches = matches_of(data, found)
    result = compare(matches, matches, data.categories, resamples=20, seed=0)
    for row in [*result.values.values(), *(row for one in result.classes for row in one.values.values())]:
        if row.a == row.a:
            assert (row.difference, *row.interval, row.p, row.sure) == (0, 0, 0, 1, False)


def test_a_fifth_fewer_detections_are_a_sure_loss() -> None:
    data, found = scene(60)
    fewer = found.take(np.random.default_rng(1).random(len(found)) > 0.2)
    result = compare(matches_of(data, found), matches_of(data, fewer), data.categories, resamples=200, seed=0)
    lost = result.values["AR100"]
    assert lost.difference < 0 and lost.sure and lost.p < 0.05


def test_point_estimates_are_those_of_evaluate() -> None:
    data, found = scene(12)
    other = found.take(np.arange(0, len(found), 2))
    result = compare(matches_of(data, found), matches_of(data, other), data.categories, resamples=1, seed=0)
    a, b = evaluate(data, found), evaluate(data, other)
    assert str({name: row.a for name, row in result.values.items()}) == str(a.values)
    assert str({name: row.b for name, row in result.values.items()}) == str(b.values)
    assert [row.objects for row in result.classes] == [row.objects for row in a.classes]


def test_without_detections_the_comparison_is_defined() -> None:
    data, found = scene(3)
    result = compare(matches_of(data, predictions()), matches_of(data, found), data.categories, resamples=5, seed=0)
    assert result.values["AP"].a == 0
    assert result.values["AP"].b == pytest.approx(result.values["AP"].difference)
