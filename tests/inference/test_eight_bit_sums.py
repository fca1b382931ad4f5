from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from focalcli.inference import eight_bit_sums
from focalcli.inference.eight_bit_sums import sums_overflow

FILE = Path(eight_bit_sums.__file__).with_suffix(".onnx")


def product(weight: int) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "sum",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [1, 8])],
        [numpy_helper.from_array(np.full((4, 8), weight, np.int8), "b")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_the_file_is_what_it_is_said_to_be() -> None:
    assert FILE.read_bytes() == product(127).SerializeToString(deterministic=True)


def test_seven_bits_never_overflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """255 * 64 * 2 = 32,640 fits in 16 bits: exact on every processor. The answer for 127 is this one's."""
    assert sums_overflow() in (True, False)
    (tmp_path / "seven.onnx").write_bytes(product(64).SerializeToString())
    monkeypatch.setattr(eight_bit_sums, "_SUM", tmp_path / "seven.onnx")
    monkeypatch.setattr(eight_bit_sums, "_EXACT", 4 * 255 * 64)
    assert not sums_overflow.__wrapped__()
