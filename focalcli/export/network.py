"""The convolutions of a RetinaNet as an ONNX graph, traced by torch. What stands before and after them is written by
hand in `before.py` and `after.py`: the tracer needs a minute of symbolic shapes for it, and gets signs wrong (ONNX
divides towards zero, Python down).
"""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import torch
from torch import Tensor, nn

from focalcli.detection.frozen_norm import FoldedConv2d, FoldedNorm, form_of
from focalcli.detection.retinanet import RetinaNet
from focalcli.errors import Unavailable, UsageError
from focalcli.export.options import OUTPUT_NAMES

INPUT = "network_input"
LEVEL_OUTPUTS = OUTPUT_NAMES["raw"]

# Any other sides would do: not 0 or 1, which the tracer takes for constants, and not equal.
_EXAMPLE_BATCH, _EXAMPLE_SIZE = 2, (128, 192)


class Network(nn.Module):
    """Normalised images (N, 3, H, W), H and W multiples of 32, to logits P3..P7 and deltas P3..P7."""

    def __init__(self, model: RetinaNet) -> None:
        super().__init__()
        self.net = bake(model)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Give the ten tensors in the order of `LEVEL_OUTPUTS`."""
        outputs = self.net.predict(self.net.backbone.pyramid(self.net.backbone.features(images)))
        return (*outputs.logits, *outputs.deltas)


def trace_network(model: RetinaNet, *, size: tuple[int, int] | None, opset: int) -> onnx.ModelProto:
    """Give the ONNX graph of `Network` from input `INPUT`, for any batch and, where `size` is None, any size.

    Raises:
        UsageError: this model's Fit does not pad to multiples of 32.
        Unavailable: torch's exporter cannot write this backbone.
    """
    config = model.config
    if size is None and config.fit.divisor % 32:
        fact = f"the model pads to multiples of {config.fit.divisor}, an ONNX file of any size needs 32"
        raise UsageError("--dynamic", fact, "fix the size with --size HEIGHTxWIDTH")
    free = {0: torch.export.Dim.DYNAMIC, **({} if size else dict.fromkeys((2, 3), torch.export.Dim.DYNAMIC))}
    example = torch.zeros((_EXAMPLE_BATCH, 3, *(size or _EXAMPLE_SIZE)))
    try:
        with _quiet():
            program = torch.onnx.export(
                Network(model),
                (example,),
                dynamo=True,
                verbose=False,
                opset_version=opset,
                input_names=[INPUT],
                output_names=list(LEVEL_OUTPUTS),
                dynamic_shapes=(free,),
            )
    except torch.onnx.errors.OnnxExporterError as error:
        fact = f"torch {torch.__version__} cannot write it as ONNX ({str(error).strip().splitlines()[0]})"
        raise Unavailable(f"backbone {config.backbone!r}", fact, "use another backbone") from error
    assert program is not None
    return _cleaned(program.model_proto)


@torch.no_grad()
def bake(model: RetinaNet) -> RetinaNet:
    """Give a float32 copy whose frozen norms are multiplied into plain convolutions, for sides in multiples of 32."""
    model = copy.deepcopy(model).eval().float().cpu()
    model.requires_grad_(False)  # a tenth less to trace, the same graph
    for parent in list(model.modules()):
        if getattr(parent, "inplace", False):  # the tracer takes 0.15 s to take each apart
            parent.inplace = False  # type: ignore[assignment]
        for name, child in list(parent.named_children()):
            if isinstance(child, FoldedConv2d):
                setattr(parent, name, _plain(child))
            elif isinstance(child, FoldedNorm):
                setattr(parent, name, child.activation)
    return model


def _plain(folded: FoldedConv2d) -> nn.Module:
    """Give a convolution with the scaled weights and the shift as its own numbers."""
    conv = nn.Conv2d(**form_of(folded))
    assert conv.bias is not None
    for own, values in zip((conv.weight, conv.bias), folded.folded(), strict=True):
        own.copy_(values)
    if not folded.same_padding:
        return conv
    # TensorFlow's SAME at sides that the stride divides: kernel - stride pixels, the odd one at right and bottom.
    vertical, horizontal = (max(k - s, 0) for k, s in zip(folded.kernel_size, folded.stride, strict=True))
    top, left = vertical // 2, horizontal // 2
    return nn.Sequential(nn.ZeroPad2d((left, horizontal - left, top, vertical - top)), conv)


def _cleaned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take out what the exporter knows about this machine: stack traces, source lines, symbol names."""
    for item in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.initializer):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    model.graph.ClearField("value_info")
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's own talk, which is about its internals; what matters comes as an exception."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
