"""Whether this processor's sums of 8-bit products overflow: ONNX Runtime then answers less well, and says nothing.

It multiplies unsigned activations with signed weights and adds products in pairs. x86 processors without VNNI (most
before 2019, and AMD's before Zen 4) add them in 16 bits and cut off what is larger: 255 * 127 * 2 = 64,770 becomes
32,767. Weights of 7 bits stay below: 255 * 64 * 2 = 32,640.
"""

from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime

# y = a @ b in integers, a (1, 4) uint8 and b (4, 8) int8 of 127s (tests/inference/test_eight_bit_sums.py makes it).
_SUM = Path(__file__).with_suffix(".onnx")
_LARGEST = 255
_EXACT = 4 * _LARGEST * 127


@cache
def sums_overflow() -> bool:
    """Say whether they do; found by adding (about 3 ms)."""
    session = onnxruntime.InferenceSession(_SUM.read_bytes(), providers=["CPUExecutionProvider"])
    [found] = session.run(None, {"a": np.full((1, 4), _LARGEST, np.uint8)})
    return bool((found != _EXACT).any())


def weight_bits_here() -> Literal[7, 8]:
    """Give the most bits of a weight that this processor computes exactly with."""
    return 7 if sums_overflow() else 8
