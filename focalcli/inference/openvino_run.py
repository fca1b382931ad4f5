"""Runs an exported file with OpenVINO, which is faster than ONNX Runtime on Intel's processors.

Needs OpenVINO: pip install 'focalcli[openvino]'. The file was opened and checked by `onnx_runtime.py` before.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from focalcli.errors import Unavailable

Batch = npt.NDArray[Any]
Run = Callable[[Batch], list[Batch]]


def compiled(content: bytes, outputs: Sequence[str], *, precision: str, threads: int) -> Run:
    """Give a function from a batch to the named outputs.

    In `fp32` it gives ONNX Runtime's answer; else OpenVINO takes bfloat16 where the processor computes it natively.

    Raises:
        Unavailable: OpenVINO is not installed.
        RuntimeError: it cannot run this file.
    """
    os.environ.setdefault("OPENVINO_TELEMETRY", "0")
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise Unavailable("--device openvino", "needs OpenVINO", "pip install 'focalcli[openvino]'") from error
    core = openvino.Core()
    options: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": 1}
    if precision == "fp32":
        options["INFERENCE_PRECISION_HINT"] = "f32"
    # From bytes: a file that names others to read weights from has no folder to look in.
    request = core.compile_model(core.read_model(content, b""), "CPU", options).create_infer_request()

    def run(batch: Batch) -> list[Batch]:
        request.infer([batch])
        return [np.array(request.get_tensor(name).data) for name in outputs]

    return run
