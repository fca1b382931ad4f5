"""What an ONNX file can be asked to look like. No torch, no onnx: `verify` and the runtimes read the same words."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from focalcli.config import FitConfig, ModelConfig
from focalcli.errors import UsageError

Input = Literal["uint8", "float"]
Layout = Literal["nchw", "nhwc"]
Output = Literal["detections", "decoded", "raw", "flat7", "trt"]
Precision = Literal["fp32", "fp16", "int8"]

OPSETS = range(18, 24)
LARGEST = 4096  # pixels of a fixed side: a certificate may not ask for images of any size
Side = Annotated[int, Meta(ge=1, le=LARGEST)]
THRESHOLD = "score_threshold"  # the constant (1, C, 1) in a file
LEVELS = ("p3", "p4", "p5", "p6", "p7")

OUTPUT_NAMES: dict[str, tuple[str, ...]] = {
    "detections": ("num_dets", "boxes", "scores", "labels"),
    "decoded": ("boxes", "scores"),
    "raw": tuple(f"{kind}_{level}" for kind in ("logits", "deltas") for level in LEVELS),
    "flat7": ("detections",),
    "trt": ("num_dets", "det_boxes", "det_scores", "det_classes"),
}


class ExportOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The form of an ONNX file; stored in it under `focalcli.export`. `size` is (height, width), None for any."""

    input: Input = "uint8"
    layout: Layout = "nchw"
    size: tuple[Side, Side] | None = None
    resize_inside: bool = False
    output: Output = "detections"
    opset: Annotated[int, Meta(ge=18, le=23)] = 18
    precision: Precision = "fp32"
    weight_bits: Literal[7, 8] = 8  # of int8

    @property
    def output_names(self) -> tuple[str, ...]:
        """Give the names of the file's outputs."""
        return OUTPUT_NAMES[self.output]


def parse_size(text: str) -> tuple[int, int]:
    """Read `HEIGHTxWIDTH`, or one number for a square.

    >>> parse_size("320x544"), parse_size("320")
    ((320, 544), (320, 320))

    Raises:
        UsageError: not such a size, not multiples of 32, or too large.
    """
    sides = text.lower().split("x")
    numbers = [int(side) for side in sides if side.isdecimal()]
    if len(numbers) != len(sides) or len(sides) > 2 or 0 in numbers:
        raise UsageError("--size", f"{text!r} is not HEIGHTxWIDTH", "for example --size 320x544")
    if any(number % 32 for number in numbers):
        raise UsageError("--size", f"{text!r} has a side that is no multiple of 32", "the pyramid needs that")
    if max(numbers) > LARGEST:
        raise UsageError(
            "--size", f"{text!r} has a side over {LARGEST}", "export without --size, or cut photos to tiles"
        )
    return numbers[0], numbers[-1]


def fixed_fit(config: ModelConfig, size: tuple[int, int] | None) -> ModelConfig:
    """Give the configuration whose Fit fills a fixed (height, width); as it is where the size is free.

    A square holds every photo. Another rectangle holds those of its own orientation.
    """
    if size is None:
        return config
    short, long = min(size), max(size)
    fit = FitConfig(min_size=short, max_size=long, divisor=long if short == long else 32)
    return msgspec.structs.replace(config, fit=fit)


def fixed_size(text: str | None, dynamic: str, config: ModelConfig) -> tuple[int, int] | None:
    """Give the (height, width) that `--size` and `--dynamic` ask for, None for any. Raises as `parse_size`."""
    if text is not None:
        return parse_size(text)
    side = -(-config.fit.min_size // 32) * 32
    return (side, side) if dynamic == "batch" else None


def check(options: ExportOptions, *, measured_for: str | None) -> None:
    """Refuse what does not go together; `measured_for` is the option that AP has to be measured for.

    Raises:
        UsageError: naming the two options.
    """
    if options.resize_inside and options.size:
        raise UsageError("--resize-inside", "takes photos of any size", "leave out --size and --dynamic batch")
    if options.resize_inside and options.output not in ("detections", "flat7"):
        raise UsageError("--resize-inside", f"does not go with --output {options.output}", "use --output detections")
    if measured_for and (options.resize_inside or options.output != "detections"):
        other = "--resize-inside" if options.resize_inside else f"--output {options.output}"
        raise UsageError(measured_for, f"needs AP, which cannot be measured with {other}", f"leave out {other}")
