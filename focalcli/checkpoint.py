"""A model on disk: weights and `ModelConfig` together in one safetensors file; the state of a training beside it.

A safetensors file holds numbers and text only, so loading one runs no code. The resume state is torch's own format,
read with `weights_only=True` and never otherwise.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from focalcli.config import ModelConfig, decode_config, encode_config
from focalcli.detection.retinanet import RetinaNet, build_retinanet
from focalcli.errors import ConfigError, DataError, InputNotFound
from focalcli.files import replacing, write_bytes, write_error
from focalcli.torch_files import LOAD_ERRORS, load_torch_file, tensors_in

HEADER_KEY = "focalcli"  # one key only: safetensors writes several in random order

_KINDS = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64)

_REMEDY = "name a .safetensors file written by `focalcli train`"


def save_model(path: Path, state: dict[str, Tensor], config: ModelConfig, notes: dict[str, Any] | None = None) -> None:
    """Write weights and configuration as one safetensors file, atomically; the same input gives the same bytes.

    `notes` is any JSON about the training (best metric, epoch, command line): read for people, never needed.
    """
    header = {
        HEADER_KEY: json.dumps({"config": json.loads(encode_config(config)), "notes": notes or {}}, sort_keys=True)
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(state.items())}
    write_bytes(path, serialise(tensors, metadata=header))


def load_checkpoint(path: Path) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Read configuration and weights of a file that `save_model` wrote.

    Raises:
        InputNotFound: there is no such file.
        DataError: it is no safetensors file, cut short, or not one of ours; or its weights are not finite.
    """
    config, _ = read_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, RuntimeError) as error:
        raise DataError(path, f"damaged safetensors file ({error})", "copy or train it again") from error
    for name, tensor in state.items():
        if tensor.dtype not in _KINDS:
            raise DataError(path, f"tensor {name} is {tensor.dtype}, which no model here has", _REMEDY)
        if not torch.isfinite(tensor).all():
            raise DataError(path, f"tensor {name} holds values that are not finite", "train it again")
    return config, state


def read_header(path: Path) -> tuple[ModelConfig, dict[str, Any]]:
    """Read configuration and notes of a model file without its weights. Raises as `load_checkpoint`."""
    if not os.path.isfile(path):
        raise InputNotFound(path, "no such model file", "give --model a file written by `focalcli train`")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise DataError(path, f"not a safetensors file, or cut short ({error})", _REMEDY) from error
    if HEADER_KEY not in header:
        raise DataError(path, "a safetensors file, but not a focalcli model", _REMEDY)
    try:
        stored = json.loads(header[HEADER_KEY])
        return decode_config(json.dumps(stored["config"]), str(path)), dict(stored["notes"])
    except (ConfigError, ValueError, LookupError, TypeError) as error:
        raise DataError(path, f"its stored configuration cannot be read ({error})", _REMEDY) from error


def load_model(path: Path) -> RetinaNet:
    """Build the network of a model file and load its weights, in evaluation mode on the CPU. Raises as above."""
    config, state = load_checkpoint(path)
    try:
        model = _filled(config, state)
    except ConfigError as error:
        raise DataError(path, f"its network cannot be built ({error})", _REMEDY) from error
    except RuntimeError as error:
        fact = f"its weights do not fit its configuration ({str(error).splitlines()[-1].strip()})"
        raise DataError(path, fact, _REMEDY) from error
    return model.eval()


def _filled(config: ModelConfig, state: dict[str, Tensor]) -> RetinaNet:
    """Build a network around weights that are there: a configuration cannot ask for more memory than its file fills."""
    try:
        with torch.device("meta"):
            model = build_retinanet(config)
    except ConfigError as error:
        if not isinstance(error.__cause__, RuntimeError):
            raise
        # Some backbones compute with their weights while they are built.
        model = build_retinanet(config)
    own = model.state_dict()
    kept = {name: tensor.to(own[name].dtype, copy=True) if name in own else tensor for name, tensor in state.items()}
    model.load_state_dict(kept, assign=True)
    if any(buffer.is_meta for buffer in model.buffers()):  # numbers that are no weights: only a real one has them
        model = build_retinanet(config)
        model.load_state_dict(state)
    return model.to(memory_format=torch.channels_last)


def save_training_state(path: Path, state: dict[str, Any], *, previous: Path | None = None) -> None:
    """Write what a training needs to go on: tensors, numbers, text, lists and dicts only; the same state, same bytes.

    What was at `path` goes to `previous`, if given, once the new state is written: a full disk costs neither.

    Raises:
        CannotWrite, IoError: as `files.replacing`.
    """
    with replacing(path) as temporary:
        try:
            with open(temporary, "wb") as file:  # given a name, torch would write it into the file
                torch.save(state, file)
        except (OSError, RuntimeError) as error:
            # Where a write fails, torch's writer tells of positions that do not fit.
            cause = error if isinstance(error, OSError) else error.__context__
            if not isinstance(cause, OSError):
                raise
            raise write_error(path, cause, needed=_bytes_of(state)) from error
        if previous is not None and path.exists():
            _keep(path, previous)


def _keep(path: Path, previous: Path) -> None:
    """Give a file a second name, so that there is no moment without the first; move it where a disk has no links."""
    with replacing(previous) as temporary:
        temporary.unlink()
        try:
            os.link(path, temporary)
        except OSError:
            os.replace(path, temporary)


def _bytes_of(state: dict[str, Any]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors_in(state))


def load_training_state(path: Path) -> dict[str, Any]:
    """Read what `save_training_state` wrote; executes nothing.

    Raises:
        InputNotFound: there is no such file.
        DataError: damaged, or something else.
    """
    if not os.path.isfile(path):
        raise InputNotFound(path, "no saved training state", "start the training without --resume")
    try:
        state = load_torch_file(path)
    except LOAD_ERRORS as error:
        raise DataError(
            path, f"not a training state, or damaged ({type(error).__name__})", "start without --resume"
        ) from error
    if not isinstance(state, dict):
        raise DataError(path, "not a training state", "start the training without --resume")
    return state
