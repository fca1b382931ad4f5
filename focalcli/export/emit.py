"""Small files that other programs want beside an ONNX file: Triton's `config.pbtxt`, and `labels.txt`."""

import json
from collections.abc import Callable
from pathlib import Path

from focalcli.export.certificate import Certificate
from focalcli.export.graph import output_shapes
from focalcli.files import write_text

# ONNX's types as Triton names them.
_TYPES = {"num_dets": "TYPE_INT32", "labels": "TYPE_INT64", "det_classes": "TYPE_INT32"}


def emit_beside(target: Path, certificate: Certificate, kinds: tuple[str, ...]) -> list[Path]:
    """Write the files of these kinds (`triton`, `labels`) into the folder of `target`; give their paths."""
    names = {"triton": "config.pbtxt", "labels": "labels.txt"}
    writers: dict[str, Callable[[str, Certificate], str]] = {"triton": triton, "labels": labels}
    paths = []
    for kind in kinds:
        path = target.with_name(names[kind])
        write_text(path, writers[kind](target.stem, certificate))
        paths.append(path)
    return paths


def labels(name: str, certificate: Certificate) -> str:
    """Give the class names, a line each, in the order of the labels that the file gives."""
    return "".join(f"{' '.join(info.name.split())}\n" for info in certificate.config.classes)


def triton(name: str, certificate: Certificate) -> str:
    """Give Triton's configuration; its first line says where the file goes in the model repository.

    Rows of `flat7` have no batch axis, so there Triton is told not to batch.
    """
    options = certificate.options
    batched = options.output != "flat7"
    height, width = options.size or (-1, -1)
    image = [3, height, width] if options.layout == "nchw" else [height, width, 3]
    kind = "TYPE_UINT8" if options.input == "uint8" else "TYPE_FP32"
    outputs = [
        _tensor(output, _TYPES.get(output, "TYPE_FP32"), shape[1:] if batched else shape)
        for output, shape in output_shapes(certificate.config, options).items()
    ]
    platform, file = "onnxruntime_onnx", f"the ONNX file is {name}/1/model.onnx"
    if options.output == "trt":
        platform, file = "tensorrt_plan", f"{name}/1/model.plan is to be built from the ONNX file with trtexec"
    lines = [
        f"# {name}/config.pbtxt; {file}",
        f"name: {json.dumps(name)}",
        f'platform: "{platform}"',
        f"max_batch_size: {8 if batched else 0}",
        f"input [ {_tensor('images', kind, image if batched else [1, *image])} ]",
        f"output [ {', '.join(outputs)} ]",
        *(["dynamic_batching { }"] if batched else []),
    ]
    return "\n".join(lines) + "\n"


def _tensor(name: str, kind: str, shape: list[int | str] | list[int]) -> str:
    dims = ", ".join(str(side if isinstance(side, int) else -1) for side in shape)
    scalar = not shape
    reshape = " reshape: { shape: [ ] }" if scalar else ""
    return f'{{ name: "{name}" data_type: {kind} dims: [ {"1" if scalar else dims} ]{reshape} }}'
