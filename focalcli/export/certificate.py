"""The certificate beside a file, `model.onnx.json`: what was compared, how close it came, and how to repeat it.

It holds torch's answers on images that any machine can make again, so `verify` needs neither torch nor photos.
"""

import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from focalcli import __version__
from focalcli.config import ModelConfig
from focalcli.errors import DataError, InputNotFound
from focalcli.export.agreement import Agreement, Limits, agreement, together
from focalcli.export.cases import Case, batch, cases, images, photo_cases, threshold_for
from focalcli.export.options import ExportOptions
from focalcli.export.rows import BEST, Array, Rows
from focalcli.images.decode import Pixels

SCHEMA = "focalcli.certificate/1"


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of one image, as numbers in a JSON file: 1e-4 px, 1e-7 of score."""

    boxes: list[tuple[float, float, float, float]]
    scores: list[float]
    labels: list[Annotated[int, Meta(ge=-1, lt=2**31)]]

    def __post_init__(self) -> None:
        """Check that every row is whole."""
        if not len(self.boxes) == len(self.scores) == len(self.labels):
            raise ValueError("an answer has rows that are not whole")

    @classmethod
    def of(cls, rows: Rows) -> "Answer":
        """Give rows as an answer. Inverse of `rows`, but for rounding."""
        return cls(rows.boxes.round(4).tolist(), rows.scores.round(7).tolist(), rows.labels.tolist())

    def rows(self) -> Rows:
        """Give the rows."""
        boxes = np.array(self.boxes, np.float64).reshape(-1, 4)
        return Rows(boxes, np.array(self.scores, np.float64), np.array(self.labels, np.int64))


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A case, the score threshold it was run at (None: the file's own), and the expected answer of each image."""

    case: Case
    threshold: float | None
    answers: list[Answer]
    photo: bool = False

    def __post_init__(self) -> None:
        """Check that every image has its answer, and that images without Fit can be one batch."""
        if len(self.answers) != len(self.case.seeds):
            raise ValueError(f"{len(self.answers)} answers to {len(self.case.seeds)} images")
        if not self.photo and len(set(self.case.sizes)) > 1:
            raise ValueError("images of one batch have several sizes")


class Accuracy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a data set says: how many detections agree on its photos, in pixels of the network's input; AP by torch and
    by the file, the difference and its 95 % interval (paired bootstrap).
    """

    images: int
    data_fingerprint: str
    torch_ap: float
    file_ap: float
    difference: float
    low: float
    high: float
    max_drop: float
    agreement: Agreement


class Quantization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the INT8 numbers were found: method of calibration, photos, AP of each method tried, layers left in fp32."""

    method: str
    photos: int
    tried: dict[str, float]
    kept_float: list[str]


class Certificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of `model.onnx.json`."""

    schema: Literal["focalcli.certificate/1"] = "focalcli.certificate/1"
    sha256: str
    bytes: int
    config: ModelConfig
    options: ExportOptions
    answers_of: Literal["torch", "the file"]
    limits: Limits
    agreement: Agreement
    accuracy: Accuracy | None = None
    quantization: Quantization | None = None
    notes: tuple[str, ...] = ()
    environment: dict[str, str]
    trials: Annotated[list[Trial], Meta(max_length=32)]


class Runner(Protocol):
    """Something that answers: torch, or a file."""

    def run(self, images: npt.NDArray[np.uint8], threshold: float | None = None) -> list[Rows]:
        """Give the rows of each image of a batch."""

    def run_photos(self, photos: Sequence[Pixels], threshold: float | None = None) -> list[Rows]:
        """Give the rows of each photo, in its own pixels; in one batch, where the file does not resize."""


class Source(Runner, Protocol):
    """A runner that can also say what a threshold would let through."""

    def candidate_scores(self, images: npt.NDArray[np.uint8]) -> Array:
        """Give the scores of the best candidates of a batch."""


def make_trials(source: Source, options: ExportOptions) -> list[Trial]:
    """Run all cases, and photos of odd sizes through Fit; give the answers."""
    plain = [_case_trial(source, case, options) for case in cases(options)]
    return plain + [_photo_trial(source, case) for case in photo_cases(options)]


def repeat(
    trials: list[Trial], runner: Runner, config: ModelConfig, options: ExportOptions, limits: Limits
) -> Agreement:
    """Run the trials again and compare."""
    return together(compare_trial(trial, runner, config, options, limits) for trial in trials)


def compare_trial(
    trial: Trial, runner: Runner, config: ModelConfig, options: ExportOptions, limits: Limits
) -> Agreement:
    """Run one trial again and compare."""
    actual = answers(trial.case, runner, trial.threshold, photo=trial.photo)
    finds = options.output in ("detections", "flat7")
    post = config.postprocess
    thresholds = own_thresholds(config) if trial.threshold is None else (trial.threshold,)
    most = post.max_detections if finds else BEST
    return together(
        agreement(answer.rows(), found, limits, thresholds=thresholds if finds else (), most=most)
        for answer, found in zip(trial.answers, actual, strict=True)
    )


def own_thresholds(config: ModelConfig) -> tuple[float, ...]:
    """Give the score thresholds of a model's file, by class or one for all."""
    return config.postprocess.class_thresholds or (config.postprocess.score_threshold,)


def again(trial: Trial, runner: Runner) -> Trial:
    """Give a trial with another runner's answers."""
    found = answers(trial.case, runner, trial.threshold, photo=trial.photo)
    return msgspec.structs.replace(trial, answers=[Answer.of(rows) for rows in found])


def answers(case: Case, runner: Runner, threshold: float | None, *, photo: bool) -> list[Rows]:
    """Run a case."""
    if photo:
        return runner.run_photos(images(case), threshold)
    return runner.run(batch(case), threshold)


def _case_trial(source: Source, case: Case, options: ExportOptions) -> Trial:
    threshold = threshold_for(case, source.candidate_scores(batch(case))) if case.aim != "as it is" else None
    found = answers(case, source, threshold, photo=options.resize_inside)
    return Trial(case, threshold, [Answer.of(rows) for rows in found])


def _photo_trial(source: Source, case: Case) -> Trial:
    return Trial(case, None, [Answer.of(rows) for rows in answers(case, source, None, photo=True)], photo=True)


def environment() -> dict[str, str]:
    """Give the versions that the numbers depend on; no name of a machine or a person."""
    packages = ("torch", "onnx", "onnxruntime", "numpy", "pillow")
    return {
        "focalcli": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        **{name: _version(name) for name in packages},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def sha256(content: bytes) -> str:
    """Give the hash that binds a certificate to its file."""
    return hashlib.sha256(content).hexdigest()


def certificate_path(model: Path) -> Path:
    """Give the place of a file's certificate."""
    return model.with_name(model.name + ".json")


def encode(certificate: Certificate) -> bytes:
    """Write a certificate; the trials, long lists of numbers, stand last. Inverse of `read_certificate`."""
    return msgspec.json.encode(certificate) + b"\n"


def read_certificate(path: Path) -> Certificate:
    """Read a certificate.

    Raises:
        InputNotFound: there is none.
        DataError: it is damaged or of another version.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Certificate)
    except FileNotFoundError as error:
        raise InputNotFound(path, "no certificate", "export the model again; it is written beside the file") from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(path, f"not a certificate of focalcli ({error})", "export the model again") from error
