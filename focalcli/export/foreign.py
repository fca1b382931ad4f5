"""Other people's RetinaNets: read their files without running code, and say whose they are."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from focalcli.checkpoint import save_model
from focalcli.config import ClassInfo, ModelConfig
from focalcli.detection.retinanet import build_retinanet
from focalcli.errors import DataError, InputNotFound
from focalcli.export import detectron2_weights, torchvision_weights
from focalcli.torch_files import LOAD_ERRORS, load_torch_file

State = dict[str, Tensor]

# torchvision's published file, whose batch norms have eps 0: its name and this beginning of its hash are its own.
_EPS_ZERO = "eeacb38b"


class Imported(NamedTuple):
    """A model of ours, whose it was, and what could not be taken over."""

    config: ModelConfig
    state: State
    origin: str
    left: tuple[str, ...]


def import_file(source: Path, target: Path, classes: tuple[ClassInfo, ...] | None) -> Imported:
    """Turn a file into a checkpoint of ours at `target`. `classes` None takes COCO's where their number fits.

    Raises:
        InputNotFound: there is no such file.
        DataError: it is not a RetinaNet in one of the forms known here, damaged, or holds more than tensors.
        CannotWrite, IoError: as `files.replacing`.
    """
    state, digest = read_tensors(source)
    if any(name.startswith("backbone.bottom_up.") for name in state):
        found = detectron2_weights.convert(state, classes, str(source))
    elif any(name.startswith("head.classification_head.") for name in state):
        eps = 0.0 if digest.startswith(_EPS_ZERO) else None
        found = torchvision_weights.convert(state, classes, str(source), eps)
    else:
        names = ", ".join(sorted(state)[:3])
        fact = f"neither torchvision's nor Detectron2's RetinaNet: it holds {names}"
        raise DataError(source, fact, "other models cannot be imported")
    config, converted, origin = found
    left = _load(config, converted, source)
    save_model(target, converted, config, {"imported_from": origin})
    return Imported(config, converted, origin, left)


def read_tensors(path: Path) -> tuple[State, str]:
    """Give the tensors of a .pth or .safetensors file, and the file's SHA-256; nothing in it is executed.

    Raises:
        InputNotFound, DataError: as `import_file`.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputNotFound(path, "no such file", "check the path") from error
    except OSError as error:
        raise DataError(path, f"cannot be read ({(error.strerror or str(error)).lower()})", "check the file") from error
    try:
        if content[8:9] == b"{":
            loaded = load_safetensors(content)
        else:
            loaded = load_torch_file(path)
    except (SafetensorError, *LOAD_ERRORS) as error:
        remedy = "save its state dict with torch.save in the program that made it, and import that"
        raise DataError(path, "not a file of tensors only, or damaged; nothing in it was run", remedy) from error
    inner = loaded.get("model", loaded) if isinstance(loaded, dict) else {}
    if not isinstance(inner, Mapping):
        raise DataError(path, "holds no state dict", "save model.state_dict() with torch.save")
    state = {str(name): value.float() for name, value in inner.items() if isinstance(value, Tensor)}
    if not state:
        raise DataError(path, "holds no tensors", "save model.state_dict() with torch.save")
    return state, hashlib.sha256(content).hexdigest()


def named(names: list[str], ids: list[int] | None = None) -> tuple[ClassInfo, ...]:
    """Give classes by name, their ids their places where none are given."""
    return tuple(ClassInfo(name, i) for name, i in zip(names, ids or range(len(names)), strict=True))


def _load(config: ModelConfig, state: State, source: Path) -> tuple[str, ...]:
    """Check that the tensors are exactly those of the network; take out and name what it does not have."""
    own = build_retinanet(config).state_dict()
    missing = [name for name in own if name not in state]
    if missing:
        raise DataError(source, f"lacks {missing[0]} and {len(missing) - 1} more", "is it a whole RetinaNet with FPN?")
    for name, tensor in own.items():
        if state[name].shape != tensor.shape:
            fact = f"{name} has shape {tuple(state[name].shape)}, not {tuple(tensor.shape)}"
            raise DataError(source, fact, "only the published layout can be imported")
    left = tuple(sorted(name for name in state if name not in own and not name.endswith("num_batches_tracked")))
    for name in [name for name in state if name not in own]:
        del state[name]
    return left
