"""What the self-test tells: each link of the chain, and the first that broke with its reason."""

import gc

import pytest
import torch

from focalcli import api
from focalcli.cli import selftest
from focalcli.cli.checkup import Check
from focalcli.errors import DataError


def test_a_broken_link_is_a_failure_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise DataError("bay", "is empty", "fill it")

    monkeypatch.setattr(api, "train", broken)
    assert list(selftest.chain()) == [
        Check("self-test", "failure", "bay: is empty, fill it", "run focalcli doctor --debug and report what it says")
    ]


@pytest.mark.parametrize(
    ("losses", "state", "fact"),
    [
        ([2.0, 1.0, 1.0, 0.5], "ok", "4 steps of 4 photos, loss 1.50, then 0.75"),
        ([1.0, 1.0, 1.0, 1.0], "failure", "4 steps of 4 photos, loss 1.00, then 1.00: it does not fall"),
        ([], "failure", "0 steps of 4 photos, loss 0.00, then 0.00: it does not fall"),
    ],
)
def test_a_loss_that_does_not_fall_is_a_failure(losses: list[float], state: str, fact: str) -> None:
    check = selftest._learned(losses)
    assert (check.state, check.fact) == (state, fact)


def test_a_chain_with_a_failure_is_not_said_to_work(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = Check("train", "failure", "it does not fall")
    monkeypatch.setattr(selftest, "_links", lambda folder: iter([failure]))
    assert list(selftest.chain()) == [failure]


def test_threads_and_garbage_are_as_before_afterwards() -> None:
    before = torch.get_num_threads(), gc.isenabled()
    with selftest._undivided():
        assert (torch.get_num_threads(), gc.isenabled()) == (1, False)
    assert (torch.get_num_threads(), gc.isenabled()) == before


@pytest.mark.parametrize(
    ("gpu", "state", "fact"),
    [
        ([0.9, 0.501], "ok", "2 scores, at most 0.0010 apart"),
        ([0.9, 0.4], "failure", "2 and 2 detections, scores up to 0.1000 apart"),
        ([0.9], "failure", "2 and 1 detections, scores up to 0.0000 apart"),
    ],
)
def test_both_devices_must_see_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path, gpu: list[float], state: str, fact: str
) -> None:
    scores = {"cpu": [0.9, 0.5], "cuda": gpu}
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(selftest, "_scores", lambda data, model, device: scores[device])
    [check] = selftest._devices(tmp_path, tmp_path)
    assert (check.state, check.fact) == (state, fact)
