"""From a name to a runtime: which model is meant, and what kind of file it is."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from focalcli.errors import DataError, InputNotFound, UsageError
from focalcli.inference.detections import Runtime

RUNS = Path("runs")
BEST = "best.safetensors"

_REMEDY = "name a .safetensors checkpoint or an .onnx file of focalcli"


def find_model(named: Path | None, *, runs: Path = RUNS) -> Path:
    """Give the model file that is meant: the named one, that of the named run, or that of the newest run in `runs`.

    Raises:
        InputNotFound: there is no such file, or no run has one.
    """
    if named is None:
        return _newest(runs)
    # Not Path's own tests: they raise for a name that is too long.
    path = named / BEST if os.path.isdir(named) else named
    if not os.path.exists(path):
        raise InputNotFound(path, "no such model file", _REMEDY)
    return path


def _newest(runs: Path) -> Path:
    found = [(path.stat().st_mtime_ns, path) for path in sorted(runs.glob(f"*/{BEST}"))]
    if not found:
        raise InputNotFound(runs, "holds no trained model", "run `focalcli train` first, or name one with --model")
    return max(found)[1]


def model_id(path: Path) -> dict[str, str]:
    """Give what names a model in results: its file's name, and the SHA-256 of its content."""
    with open(path, "rb") as file:
        return {"file": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def open_runtime(
    path: Path, *, device: str = "auto", precision: str = "auto", say: Callable[[str], None] = lambda line: None
) -> Runtime:
    """Open a model file with what runs it; its content decides, not its name. What is doubtful here is said.

    Raises:
        InputNotFound: there is no such file.
        DataError: neither a checkpoint nor an ONNX file of focalcli, or damaged.
        UsageError: OpenVINO was asked to run a checkpoint.
        Unavailable: the device is not here.
    """
    match _kind(path):
        case "onnx":
            from focalcli.inference.onnx_runtime import OnnxRuntime

            runtime = OnnxRuntime(path, device=device, precision=precision)
            if runtime.doubt:
                say(runtime.doubt)
            return runtime
        case "safetensors":
            from focalcli.inference.torch_runtime import TorchRuntime

            if device == "openvino":
                raise UsageError("--device openvino", "runs ONNX files", f"export {path} with `focalcli export --onnx`")
            return TorchRuntime.open(path, device=device, precision=precision)
        case kind:
            raise DataError(path, kind, _REMEDY)


def _kind(path: Path) -> str:
    """Give `onnx`, `safetensors`, or what is wrong with the file.

    safetensors: 8 bytes of length, then JSON. ONNX: a protobuf message that begins with its ir_version, field 1.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(9)
    except FileNotFoundError as error:
        raise InputNotFound(path, "no such model file", _REMEDY) from error
    except OSError as error:
        raise DataError(path, f"cannot be read ({(error.strerror or str(error)).lower()})", _REMEDY) from error
    if head[8:9] == b"{":
        return "safetensors"
    if head[:1] == b"\x08":
        return "onnx"
    if head[:2] == b"PK":
        return "a pickled PyTorch file, which can run code when it is read"
    return "neither a focalcli checkpoint nor an ONNX model"
