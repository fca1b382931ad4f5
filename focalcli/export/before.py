"""The part of the graph before the network: from the caller's pixels to normalised images in multiples of 32."""

from typing import NamedTuple

import numpy as np
import onnx

from focalcli.config import ModelConfig
from focalcli.export.builder import Builder
from focalcli.export.network import INPUT
from focalcli.export.options import ExportOptions

ROOM = "before"

_FLOAT, _UINT8 = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8


class Sides(NamedTuple):
    """Names of two int64 scalars: height and width of something."""

    height: str
    width: str


class Frames(NamedTuple):
    """The network's canvas; and where the graph resizes, the fitted photo inside the canvas and the photo itself."""

    canvas: Sides
    fitted: Sides | None = None
    photo: Sides | None = None


def write_before(graph: onnx.GraphProto, config: ModelConfig, options: ExportOptions) -> Frames:
    """Add the nodes from `images` to the network's input; give the sizes that the part behind the network needs."""
    build = Builder(graph, ROOM)
    images = build("Transpose", "images", perm=[0, 3, 1, 2]) if options.layout == "nhwc" else "images"
    photo = _sides(build, images)
    frames = Frames(photo)
    shift = _column(config.mean) * 255
    if options.input == "float":
        images = build("Mul", images, 255.0)
    if options.resize_inside:
        # In bytes, as Pillow resizes: onnxruntime's arithmetic for them is Pillow's.
        images = build("Cast", build("Round", images), to=_UINT8) if options.input == "float" else images
        images, fitted = _fit(build, images, photo, config)
        fill = np.round(shift)
        images = _pad(build, build("Sub", build("Cast", images, to=_FLOAT), fill), fitted, config.fit.divisor)
        frames = Frames(_sides(build, images), fitted, photo)
        shift = shift - fill
    elif options.input == "uint8":
        images = build("Cast", images, to=_FLOAT)
    scale = (1 / (_column(config.std) * 255)).astype(np.float32)
    build("Mul", build("Sub", images, shift), scale, name=INPUT)
    return frames


def _column(values: tuple[float, float, float]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return np.array(values, np.float32).reshape(1, 3, 1, 1)


def _sides(build: Builder, images: str) -> Sides:
    shape = build("Shape", images)
    return Sides(build("Gather", shape, 2), build("Gather", shape, 3))


def _fit(build: Builder, images: str, photo: Sides, config: ModelConfig) -> tuple[str, Sides]:
    """Resize as `images.fit.Fit` does: its arithmetic for the sides in float64, bilinear, antialiased."""
    height, width = (build("Cast", side, to=onnx.TensorProto.DOUBLE) for side in photo)
    short, long = build("Min", height, width), build("Max", height, width)
    by_short = build("Div", np.array(float(config.fit.min_size)), short)
    by_long = build("Div", np.array(float(config.fit.max_size)), long)
    scale = build("Min", by_short, by_long)
    sides = []
    for side in (height, width):
        rounded = build("Floor", build("Add", build("Mul", side, scale), np.array(0.5)))
        sides.append(build("Max", build("Cast", rounded, to=onnx.TensorProto.INT64), 1))
    kept = build("Slice", build("Shape", images), [0], [2])
    sizes = build("Concat", kept, *(build("Unsqueeze", side, [0]) for side in sides), axis=0)
    resized = build("Resize", images, "", "", sizes, mode="linear", antialias=1)
    return resized, Sides(*sides)


def _pad(build: Builder, images: str, sides: Sides, divisor: int) -> str:
    """Add zeros at right and bottom up to multiples of `divisor`."""
    missing = []
    for side in sides:
        remainder = build("Mod", side, divisor)
        missing.append(build("Unsqueeze", build("Mod", build("Sub", divisor, remainder), divisor), [0]))
    pads = build("Concat", [0, 0, 0, 0, 0, 0], *missing, axis=0)
    return build("Pad", images, pads, 0.0)
