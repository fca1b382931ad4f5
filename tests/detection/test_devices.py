"""The number format follows what the processor computes natively."""

import pytest
import torch

from focalcli.detection.devices import pick_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize("native", ["avx512_bf16", "amx_bf16", "bf16"])
def test_a_processor_with_bfloat16_uses_it(native: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True, native: True}, raising=False)
    assert pick_precision("auto", CPU) == torch.bfloat16
    assert pick_precision("fp32", CPU) == torch.float32, "what was asked for is given"


def test_a_processor_without_uses_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True}, raising=False)
    assert pick_precision("auto", CPU) == torch.float32


def test_a_torch_that_cannot_tell_uses_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch 2.9 does not know the question."""
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert pick_precision("auto", CPU) == torch.float32
