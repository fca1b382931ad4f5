"""`focalcli export`: a model as one ONNX file, proved equal."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from focalcli.cli.console import say
from focalcli.cli.data_options import PhotoFolder
from focalcli.errors import CannotWrite, DataError, UsageError, did_you_mean

Precision = Literal["fp32", "fp16", "int8"]

KINDS = ("triton", "labels")


def export(
    onnx: Annotated[bool, typer.Option("--onnx", help="Write ONNX, the one format there is.")] = False,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Model file, .safetensors. [default: newest run]")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("-o", "--file", metavar="FILE", help="ONNX file to write. [default: beside the model, as .onnx]"),
    ] = None,
    input: Annotated[
        Literal["uint8", "float"], typer.Option(help="RGB as bytes in 0..255, or as float32 in 0..1.")
    ] = "uint8",
    layout: Annotated[Literal["nchw", "nhwc"], typer.Option(help="Order of the input's axes.")] = "nchw",
    dynamic: Annotated[
        Literal["hw", "batch"],
        typer.Option(help="What may vary: batch, height and width (hw), or the batch of one square (batch)."),
    ] = "hw",
    size: Annotated[str | None, typer.Option(metavar="HxW", help="Fix height and width, multiples of 32.")] = None,
    resize_inside: Annotated[
        bool, typer.Option("--resize-inside", help="Take photos of any size; the graph resizes them.")
    ] = False,
    output: Annotated[
        Literal["detections", "decoded", "raw", "flat7", "trt"],
        typer.Option(
            help="What the graph gives: boxes after NMS, all boxes before it, the network's levels, rows of 7 numbers, "
            "or boxes by TensorRT's NMS."
        ),
    ] = "detections",
    opset: Annotated[int, typer.Option(min=18, max=23, help="ONNX operator set.")] = 18,
    fp16: Annotated[bool, typer.Option("--fp16", help="Network in float16.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Network in 8 bits; needs --calibrate.")] = False,
    weight_bits: Annotated[
        Literal["auto", "7", "8"],
        typer.Option(
            help="With --int8, of weights. 7: the same on every processor; 8: a little finer, but wrong on x86 "
            "without VNNI, whose sums overflow. auto: 8 where this processor's do not."
        ),
    ] = "auto",
    calibrate: Annotated[
        Path | None, typer.Option(metavar="DATA", help="Annotated photos to find the 8-bit ranges with.")
    ] = None,
    calibrate_split: Annotated[str | None, typer.Option(metavar="NAME", help="Split of --calibrate to use.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="Compare detections and AP with torch's on these annotated photos."),
    ] = None,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Split of --data to compare on.")] = None,
    images: PhotoFolder = None,
    max_drop: Annotated[float, typer.Option(min=0, help="AP that may be lost, with --data or --int8.")] = 0.005,
    max_box: Annotated[
        float | None,
        typer.Option(
            metavar="PX",
            min=0,
            help="Corners may differ from torch's by this. [default: 0.05; 2 with --fp16 or --resize-inside; 8, from "
            "its own answers, with --int8]",
        ),
    ] = None,
    max_score: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Scores may differ by this. [default: 0.0001; 0.02 with --fp16 or --resize-inside; 0.1 with --int8]",
        ),
    ] = None,
    emit: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Also write beside the file: triton (config.pbtxt), labels (labels.txt)."),
    ] = None,
) -> None:
    """Write a model as one ONNX file that gives the same answers.

    The file takes RGB pixels and gives detections: normalisation, box decoding and NMS are inside. Before it appears
    at its name it is compared with torch; where they differ nothing is left and the exit code is 1. FILE.json holds
    what was compared, and `focalcli verify FILE` repeats it anywhere. The file's name is printed to stdout.

    Example: focalcli export --onnx --model runs/bay -o bay.onnx
    """
    from focalcli.checkpoint import load_model
    from focalcli.cli.evaluate import annotated
    from focalcli.export.emit import emit_beside
    from focalcli.export.options import ExportOptions, check, fixed_size
    from focalcli.export.write import Proof, limits_for, write_onnx

    if not onnx:
        raise UsageError("focalcli export", "no format is named", "add --onnx")
    _check_split("--split", split, "--data", data)
    _check_split("--calibrate-split", calibrate_split, "--calibrate", calibrate)
    kinds = _kinds(emit)
    precision = _precision(fp16, int8, calibrate)
    bits = _weight_bits(weight_bits, precision)
    source = _checkpoint(model)
    target = _target(file, source)
    network = load_model(source)
    options = ExportOptions(
        input=input,
        layout=layout,
        size=fixed_size(size, dynamic, network.config),
        resize_inside=resize_inside,
        output=output,
        opset=opset,
        precision=precision,
        weight_bits=bits,
    )
    check(options, measured_for="--int8" if int8 else "--data" if data else None)
    proof = Proof(
        limits=limits_for(options, box=max_box, score=max_score),
        dataset=annotated(data, images=images, split=split) if data else None,
        max_drop=max_drop,
    )
    calibration = annotated(calibrate, images=images, split=calibrate_split) if calibrate else None
    certificate = write_onnx(network, target, options, proof, calibration=calibration, say=say)
    for path in emit_beside(target, certificate, kinds):
        say(f"wrote {path}")
    print(target)


def _precision(fp16: bool, int8: bool, calibrate: Path | None) -> Precision:
    if fp16 and int8:
        raise UsageError("--fp16", "does not go with --int8", "choose one")
    if int8 and calibrate is None:
        raise UsageError("--int8", "needs photos to find its ranges with", "add --calibrate DATA")
    if calibrate is not None and not int8:
        raise UsageError("--calibrate", "is for 8 bits only", "add --int8")
    return "int8" if int8 else "fp16" if fp16 else "fp32"


def _weight_bits(wanted: str, precision: Precision) -> Literal[7, 8]:
    if precision != "int8":
        if wanted != "auto":
            raise UsageError("--weight-bits", "is for 8 bits only", "add --int8")
        return 8
    from focalcli.inference.eight_bit_sums import weight_bits_here

    return weight_bits_here() if wanted == "auto" else 7 if wanted == "7" else 8


def _check_split(option: str, split: str | None, owner: str, data: Path | None) -> None:
    if split and not data:
        raise UsageError(option, f"is of {owner}, which is not given", f"add {owner} DATA")


def _kinds(emit: str | None) -> tuple[str, ...]:
    kinds = tuple(emit.split(",")) if emit else ()
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError("--emit", f"there is no {kind!r}", did_you_mean(kind, KINDS))
    return kinds


def _checkpoint(model: Path | None) -> Path:
    """Give the checkpoint that is meant, and say which it is."""
    from focalcli.inference.open import find_model

    source = find_model(model)
    say(f"model: {source}")
    if source.suffix == ".onnx":
        raise DataError(source, "is an ONNX file already", "name the checkpoint it was made from")
    return source


def _target(file: Path | None, source: Path) -> Path:
    target = file or source.with_suffix(".onnx")
    if target.suffix != ".onnx":
        raise UsageError("-o", f"{str(target)!r} does not end in .onnx", "readers go by the name")
    if os.path.isdir(target):
        raise CannotWrite(target, "is a folder", "name a file with -o")
    return target
