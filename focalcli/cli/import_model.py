"""`focalcli import`: other people's RetinaNets as checkpoints of ours."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focalcli.cli.console import say
from focalcli.errors import CannotWrite, DataError, InputNotFound

if TYPE_CHECKING:
    from focalcli.config import ClassInfo


def import_model(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="State dict, .pth or .safetensors.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Checkpoint to write. [default: FILE's name with .safetensors]"
        ),
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Class names, a line each. [default: COCO's, if as many]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at the destination.")] = False,
) -> None:
    """Turn another program's RetinaNet into a checkpoint.

    It reads torchvision's retinanet_resnet50_fpn and _v2, and Detectron2's RetinaNet with ResNet-50 or -101 and FPN.
    Nothing in the file is executed. Tensors that the network has no place for are named and left out. The
    checkpoint's name is printed to stdout.

    Example: focalcli import retinanet_resnet50_fpn_coco-eeacb38b.pth -o coco.safetensors
    """
    from focalcli.export.foreign import import_file

    target = output or file.with_suffix(".safetensors")
    if os.path.exists(target) and not overwrite:
        raise CannotWrite(target, "exists", "name another file with -o or add --overwrite")
    found = import_file(file, target, _read_classes(classes) if classes else None)
    say(f"{file}: {found.origin}, {found.config.num_classes} classes")
    for name in found.left:
        say(f"{file}: {name} has no place here and was left out")
    print(target)


def _read_classes(path: Path) -> "tuple[ClassInfo, ...]":
    from focalcli.config import ClassInfo

    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise InputNotFound(path, "no such file", "check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, "cannot be read as text", "write one class name a line") from error
    names = [line.strip() for line in lines if line.strip()]
    return tuple(ClassInfo(name, index) for index, name in enumerate(names))
