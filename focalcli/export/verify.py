"""Hold a file against its certificate again, on any machine: no torch, no photos."""

from pathlib import Path
from typing import NamedTuple

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from focalcli.errors import DataError, InputNotFound
from focalcli.export.agreement import describe
from focalcli.export.certificate import Certificate, Trial, certificate_path, compare_trial, read_certificate, sha256
from focalcli.export.metadata import metadata
from focalcli.export.session import FileSession
from focalcli.inference.onnx_runtime import CONFIG_KEY, FAILURES, OPTIONS_KEY

# A graph may fail, lack what is looked for in its answers, or give text and numbers of any size for it.
_FAILURES: tuple[type[Exception], ...] = (*FAILURES, LookupError, AssertionError, ArithmeticError, TypeError)


class Check(NamedTuple):
    """One thing that was looked at: its name, whether it holds, and what was seen."""

    name: str
    holds: bool
    seen: str


def verify(path: Path) -> list[Check]:
    """Check a file's hash, structure and metadata, and repeat its trials.

    Raises:
        InputNotFound: the file or its certificate is not there.
        DataError: the file is no ONNX model, cannot be run, or its certificate is damaged.
    """
    certificate = read_certificate(certificate_path(path))
    model, content = load(path)
    return [
        Check("hash", sha256(content) == certificate.sha256, sha256(content)),
        _structure(model),
        _metadata(model, certificate),
        *_trials(model, certificate),
    ]


def load(path: Path) -> tuple[onnx.ModelProto, bytes]:
    """Read an ONNX file without looking for weights outside of it.

    Raises:
        InputNotFound: there is no such file.
        DataError: it is no ONNX model.
    """
    try:
        content = path.read_bytes()
        model = onnx.load_model_from_string(content)
    except FileNotFoundError as error:
        raise InputNotFound(path, "no such model file", "name a file written by `focalcli export --onnx`") from error
    except (OSError, DecodeError) as error:
        raise DataError(path, "not an ONNX model, or damaged", "export it again") from error
    return model, content


def _structure(model: onnx.ModelProto) -> Check:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        return Check("structure", False, str(error).strip().splitlines()[0])
    outside = [item.name for item in model.graph.initializer if item.external_data]
    seen = f"keeps weights outside: {outside[0]}" if outside else f"{len(model.graph.node)} nodes in one file"
    return Check("structure", not outside, seen)


def _metadata(model: onnx.ModelProto, certificate: Certificate) -> Check:
    stored = {entry.key: entry.value for entry in model.metadata_props}
    expected = metadata(certificate.config, certificate.options)
    wrong = [key for key in (CONFIG_KEY, OPTIONS_KEY, "names") if stored.get(key) != expected[key]]
    return Check("metadata", not wrong, f"{wrong[0]} is another" if wrong else f"{len(stored)} entries")


def _trials(model: onnx.ModelProto, certificate: Certificate) -> list[Check]:
    """Run every trial on one session: files of a threshold are opened once."""
    try:
        session = FileSession(model, certificate.config, certificate.options)
    except _FAILURES as error:
        return [Check("trials", False, f"cannot be run ({type(error).__name__})")]
    return [_trial(trial, session, certificate) for trial in certificate.trials]


def _trial(trial: Trial, session: FileSession, certificate: Certificate) -> Check:
    name = str(trial.case)
    try:
        found = compare_trial(trial, session, certificate.config, certificate.options, certificate.limits)
    except _FAILURES as error:
        return Check(name, False, f"cannot be run ({str(error).strip().partition(chr(10))[0][:120]})")
    return Check(name, found.within(certificate.limits), describe(found))
