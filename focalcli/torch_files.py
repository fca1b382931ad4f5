"""Files of torch.save, read as what they may hold here: tensors, numbers, text, lists and dicts.

`weights_only=True` runs no code, but it lets a file of a few bytes ask for gigabytes: a bytearray of any length, a
compressed record of zeros, a tensor that repeats one number. What a file calls is looked at before it is loaded.
"""

import pickletools
import re
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any

import torch
from torch import Tensor

# torch.load and zipfile raise any of these on a file that is damaged, hostile or of another kind.
LOAD_ERRORS = (
    OSError,
    EOFError,
    LookupError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    MemoryError,
    RecursionError,
    UnpicklingError,
    zipfile.BadZipFile,
)

_CALLS = re.compile(
    r"collections OrderedDict"
    r"|torch\._utils _rebuild_(tensor_v2|parameter)"
    r"|torch (Size|device|\w+Storage|b?float\d+|u?int\d+|bool)"
    r"|torch\.storage UntypedStorage"
)

# The form before zip: magic number, protocol, system, the object, the keys of what follows, each a pickle.
_OLD_FORM = 5


def load_torch_file(path: Path) -> Any:
    """Give what `torch.save` wrote, on the CPU; nothing in it is executed, and no more memory taken than it fills.

    Raises:
        LOAD_ERRORS: damaged, of another kind, or holding anything else.
    """
    with open(path, "rb") as file:
        if zipfile.is_zipfile(file):
            _check_zip(file)
        else:
            file.seek(0)
            for _ in range(_OLD_FORM):
                _check_calls(file)
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    for tensor in tensors_in(loaded):
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ValueError("a tensor that is larger than its numbers")
    return loaded


def tensors_in(value: Any) -> list[Tensor]:
    """Give the tensors in dicts and lists of any depth."""
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for part in parts for tensor in tensors_in(part)]


def _check_zip(file: IO[bytes]) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("a compressed record, which torch.save never writes")
        for entry in entries:
            if entry.filename.endswith(".pkl"):
                with archive.open(entry) as pickle:
                    _check_calls(pickle)


def _check_calls(pickle: IO[bytes]) -> None:
    for operation, argument, _ in pickletools.genops(pickle):
        if operation.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
            raise UnpicklingError("names what it calls in a way torch.save never does")
        if operation.name == "GLOBAL" and not _CALLS.fullmatch(str(argument)):
            raise UnpicklingError(f"calls {argument}")
