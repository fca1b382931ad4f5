"""The background loss of many logits and its gradient on a GPU: one Triton kernel, one read and one write an element.

Same contract as `focal_blocks.background_in_blocks`. Where Triton is not installed, importing this module fails and
the blocks run on the GPU instead. `TRITON_INTERPRET=1`, set before the import, runs the kernel on the CPU.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from focalcli.detection.formulas import Hardness

_BLOCK = 1024


def background_on_gpu(logits: Tensor, rows: Tensor, constants: Hardness, gradient: Tensor) -> Tensor:
    """Give the sum of H(x) over logits (R, C) without the anchors at `rows`, a float64 scalar; fill `gradient`."""
    counted = torch.ones(len(logits), dtype=torch.bool, device=logits.device).index_fill_(0, rows, False)
    blocks = triton.cdiv(logits.numel(), _BLOCK)
    sums = torch.zeros(max(blocks, 1), dtype=torch.float32, device=logits.device)
    if blocks:
        _background[(blocks,)](
            logits, counted, gradient, sums, logits.numel(), logits.shape[1], *constants, BLOCK=_BLOCK
        )
    return sums.double().sum() / constants.slope


@triton.jit  # type: ignore[untyped-decorator]
def _background(logits, counted, gradient, sums, size, num_classes, slope, shift, exponent, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Write the gradient of one block, and its part of the sum: blocks are added later, so always in the same order."""
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < size
    x = tl.load(logits + place, mask=inside, other=0.0).to(tl.float32)
    counts = tl.load(counted + place // num_classes, mask=inside, other=0) != 0
    z = slope * x + shift
    e = tl.exp(-tl.abs(z))
    w = 1.0 + e
    tail = tl.log(w) + (e - (w - 1.0)) / w  # log1p(e); the second term is what rounding w took
    positive = z >= 0
    p = tl.where(positive, 1.0, e) / w
    q = tl.where(positive, e, 1.0) / w
    softplus = tl.maximum(z, 0.0) + tail
    power = tl.exp(exponent * (tl.minimum(z, 0.0) - tail))  # p^gamma
    value = tl.where(counts & inside, power * softplus, 0.0)
    slopes = tl.where(counts, power * (p + exponent * q * softplus), 0.0)
    tl.store(gradient + place, slopes.to(gradient.dtype.element_ty), mask=inside)
    tl.store(sums + tl.program_id(0), tl.sum(value))
