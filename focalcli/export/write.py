"""From a model to a proved file: build, lower the precision, compare with torch, and only then let it appear."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
from msgspec.structs import astuple, replace

from focalcli.config import ModelConfig
from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import RetinaNet
from focalcli.errors import GateFailed
from focalcli.evaluation.columns import Predictions
from focalcli.export.accuracy import (
    check_measurable,
    compare_accuracy,
    file_predictions,
    photo_agreement,
    torch_predictions,
)
from focalcli.export.agreement import LIMITS, Agreement, Limits, describe
from focalcli.export.certificate import (
    Accuracy,
    Certificate,
    again,
    certificate_path,
    encode,
    environment,
    make_trials,
    repeat,
    sha256,
)
from focalcli.export.eight_bits import Search
from focalcli.export.graph import build_onnx
from focalcli.export.half import to_half
from focalcli.export.options import ExportOptions, fixed_fit
from focalcli.export.reference import Reference
from focalcli.export.session import FileSession
from focalcli.files import replacing, write_error

# Where the graph resizes, some pixels of the photo are rounded otherwise than Pillow does.
RESIZED = Limits(box=2.0, score=0.02, alone=0.02)

Say = Callable[[str], None]


def limits_for(options: ExportOptions, *, box: float | None = None, score: float | None = None) -> Limits:
    """Give the limits of a form of file, single ones replaced."""
    usual = LIMITS[options.precision]
    if options.resize_inside:
        pairs = zip(astuple(usual), astuple(RESIZED), strict=True)
        usual = Limits(*(max(pair) for pair in pairs))
    return replace(usual, box=usual.box if box is None else box, score=usual.score if score is None else score)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a file is held to: its limits, photos to measure AP on, and the AP it may lose."""

    limits: Limits
    dataset: Dataset | None = None
    max_drop: float = 0.005
    resamples: int = 1000


def write_onnx(
    model: RetinaNet,
    target: Path,
    options: ExportOptions,
    proof: Proof,
    *,
    calibration: Dataset | None = None,
    say: Say = lambda line: None,
) -> Certificate:
    """Write `target` and its certificate beside it if the file gives torch's answers; else leave nothing.

    `calibration` is needed for int8, and only there.

    Raises:
        GateFailed: the file's answers, or its AP, are too far from torch's.
        CannotWrite, IoError: as `files.replacing`.
        UsageError, Unavailable: as `graph.build_onnx`.
        DataError, InputNotFound: a photo or annotation cannot be used.
    """
    model.config = fixed_fit(model.config, options.size)
    if proof.dataset is not None:
        check_measurable(proof.dataset, "--data")
    with ExitStack() as files:
        # Opened first, so that a place that cannot be written is an error of the first second. The certificate moves
        # into place first: at no moment is there a new file without its own.
        file = files.enter_context(replacing(target))
        beside = files.enter_context(replacing(certificate_path(target)))
        files.enter_context(_failures_named(target))
        built = build_onnx(model, options)
        if options.precision == "fp16":
            built = to_half(built)
        # What comes before 8 bits is float32, and is held to that.
        limits = LIMITS["fp32"] if options.precision == "int8" else proof.limits
        certificate = prove(model, built, target, options, limits)
        say(f"{target}: {describe(certificate.agreement)}")
        if calibration is not None:
            certificate, built = _in_eight_bits(model, built, file, target, certificate, proof, calibration, say)
        file.write_bytes(serialized(built))
        if proof.dataset is not None:
            torch = torch_predictions(model, proof.dataset, options.size)
            accuracy = _accuracy(torch, file, proof.dataset, model.config, proof)
            say(f"{target}: {describe_accuracy(accuracy)}")
            if options.precision != "int8":  # which is held to its AP
                gate(accuracy.agreement, proof.limits, target, "on the photos of --data ")
            gate_accuracy(accuracy, target)
            certificate = replace(certificate, accuracy=accuracy)
        beside.write_bytes(encode(certificate))
    return certificate


@contextmanager
def _failures_named(target: Path) -> Iterator[None]:
    """Name the file that is wanted where a write fails, not one that is beside it."""
    try:
        yield
    except OSError as error:
        raise write_error(target, error) from error


def _in_eight_bits(
    model: RetinaNet,
    built: onnx.ModelProto,
    scratch: Path,
    target: Path,
    certificate: Certificate,
    proof: Proof,
    calibration: Dataset,
    say: Say,
) -> tuple[Certificate, onnx.ModelProto]:
    """Find the 8-bit form of a proved float32 file; its certificate holds its own answers, and its loss of AP."""
    search = Search(FileSession(built, model.config, certificate.options), calibration, scratch, say)
    torch = torch_predictions(model, search.dataset, certificate.options.size)
    built, quantization = search.run(torch, proof.max_drop, target)
    scratch.write_bytes(serialized(built))
    accuracy = _accuracy(torch, scratch, search.dataset, model.config, proof)
    session = FileSession(built, model.config, certificate.options)
    trials = [again(trial, session) for trial in certificate.trials]
    content = serialized(built)
    certificate = replace(
        certificate,
        sha256=sha256(content),
        bytes=len(content),
        answers_of="the file",
        limits=proof.limits,
        agreement=repeat(trials, session, model.config, certificate.options, proof.limits),
        accuracy=accuracy,
        quantization=quantization,
        trials=trials,
    )
    return certificate, built


def _accuracy(torch: Predictions, file: Path, dataset: Dataset, config: ModelConfig, proof: Proof) -> Accuracy:
    found = file_predictions(file, dataset)
    agreed = photo_agreement(dataset, torch, found, config, proof.limits)
    return compare_accuracy(dataset, torch, found, agreed, max_drop=proof.max_drop, resamples=proof.resamples)


def prove(
    model: RetinaNet, built: onnx.ModelProto, target: Path, options: ExportOptions, limits: Limits
) -> Certificate:
    """Compare a built file with torch on generated images; give its certificate.

    Raises:
        GateFailed: they differ by more than the limits.
    """
    trials = make_trials(Reference(model, options), options)
    session = FileSession(built, model.config, options)
    found = repeat(trials, session, model.config, options, limits)
    gate(found, limits, target)
    content = serialized(built)
    return Certificate(
        sha256=sha256(content),
        bytes=len(content),
        config=model.config,
        options=options,
        answers_of="torch",
        limits=limits,
        agreement=found,
        notes=notes(options),
        environment=environment(),
        trials=trials,
    )


def gate(found: Agreement, limits: Limits, target: Path, where: str = "") -> None:
    """Raise GateFailed when the answers differ by more than the limits."""
    if not found.within(limits):
        fact = (
            f"{where}its answers differ from torch's: {found.alone} detections have no counterpart within "
            f"{limits.box:g} px and {limits.score:g} of score, {found.pairs} have one"
        )
        raise GateFailed(target, fact, "nothing was written")


def gate_accuracy(accuracy: Accuracy, target: Path) -> None:
    """Raise GateFailed when AP falls by more than the limit."""
    if accuracy.difference < -accuracy.max_drop:
        fact = f"its AP is {-accuracy.difference:.4f} below torch's {accuracy.torch_ap:.4f}"
        raise GateFailed(target, fact, "nothing was written; raise --max-drop or use a higher precision")


def describe_accuracy(accuracy: Accuracy) -> str:
    """Say in one line what the AP became."""
    return (
        f"AP {accuracy.file_ap:.4f}, torch {accuracy.torch_ap:.4f}, difference {accuracy.difference:+.4f} "
        f"[{accuracy.low:+.4f}, {accuracy.high:+.4f}] on {accuracy.images} photos, where {describe(accuracy.agreement)}"
    )


def notes(options: ExportOptions) -> tuple[str, ...]:
    """Say what was not compared."""
    if options.output == "trt":
        return ("EfficientNMS_TRT runs in TensorRT only: its inputs were compared, the node was not run",)
    return ()


def serialized(model: onnx.ModelProto) -> bytes:
    """Give a model's bytes, the same for the same model."""
    content: bytes = model.SerializeToString(deterministic=True)
    return content
