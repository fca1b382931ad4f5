"""A file appears whole, proved and with its certificate, or not at all; what was there before stays."""

import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest

from focalcli.checkpoint import save_model
from focalcli.dataset.types import Dataset
from focalcli.errors import CannotWrite, DataError, GateFailed, IoError, Unavailable
from focalcli.export.agreement import together
from focalcli.export.certificate import certificate_path, read_certificate
from focalcli.export.graph import build_onnx
from focalcli.export.options import ExportOptions
from focalcli.export.verify import verify
from focalcli.export.write import Proof, limits_for, write_onnx
from focalcli.files import TEMPORARY_PREFIX
from tests.export.small import contents, shift_boxes

PLAIN = ExportOptions()
PROOF = Proof(limits_for(PLAIN), resamples=20)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A place in a folder of its own where a file and its certificate stand already."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "small.onnx").write_bytes(b"old")
    (folder / "small.onnx.json").write_bytes(b"old, too")
    return folder / "small.onnx"


@pytest.fixture
def untouched(target: Path) -> Iterator[None]:
    """Hold that nothing in the folder changed, and nothing came."""
    before = contents(target.parent)
    yield
    assert contents(target.parent) == before


def shifted(traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """Build files whose boxes lie a pixel too far to the right and down."""

    def build(model: object, options: ExportOptions) -> onnx.ModelProto:
        file = traced.file(options)
        shift_boxes(file)
        return file

    monkeypatch.setattr("focalcli.export.write.build_onnx", build)


def no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(model: object, options: object) -> None:
        raise AssertionError("the work had begun")

    monkeypatch.setattr("focalcli.export.write.build_onnx", never)


def test_a_file_that_differs_never_appears(
    traced, target: Path, untouched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shifted(traced, monkeypatch)
    with pytest.raises(GateFailed, match=r"have no counterpart within 0\.05 px and 0\.0001 of score"):
        write_onnx(traced.model, target, PLAIN, PROOF)


def test_limits_that_are_given_decide(traced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The photos of the trials are up to 4.15 times as large as their input, and the shift with them."""
    shifted(traced, monkeypatch)
    write_onnx(traced.model, tmp_path / "small.onnx", PLAIN, Proof(limits_for(PLAIN, box=5.0)))
    assert 1 < read_certificate(tmp_path / "small.onnx.json").agreement.box < 4.2


def test_the_photos_of_data_are_compared_one_to_one(
    traced, traced_once: object, annotated: Dataset, tmp_path: Path
) -> None:
    said: list[str] = []
    proof = Proof(PROOF.limits, dataset=annotated, resamples=20)
    certificate = write_onnx(traced.model, tmp_path / "small.onnx", PLAIN, proof, say=said.append)
    accuracy = certificate.accuracy
    assert accuracy is not None and accuracy.torch_ap == accuracy.file_ap == pytest.approx(1.0)
    assert accuracy.agreement.pairs > 50 and accuracy.agreement.alone == 0 and accuracy.agreement.box < 0.01
    assert f"on 4 photos, where {accuracy.agreement.pairs} detections agree" in said[-1]
    assert read_certificate(tmp_path / "small.onnx.json").accuracy == accuracy


def test_a_file_of_a_fixed_size_is_compared_on_its_own_canvas(
    traced, traced_once: object, annotated: Dataset, tmp_path: Path
) -> None:
    """Photos of 128 x 160 lie in the corner of 128 x 192: what is beside them moves the outputs of torch, too."""
    options = ExportOptions(size=(128, 192))
    proof = Proof(limits_for(options), dataset=annotated, resamples=20)
    certificate = write_onnx(traced.model, tmp_path / "wide.onnx", options, proof)
    assert certificate.accuracy is not None and certificate.accuracy.agreement.alone == 0
    assert certificate.accuracy.agreement.pairs > 50


def test_a_file_that_differs_on_the_photos_of_data_never_appears(
    traced, annotated: Dataset, target: Path, untouched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trials are made to agree: only the photos can tell."""
    monkeypatch.setattr("focalcli.export.write.repeat", lambda *_: together([]))
    shifted(traced, monkeypatch)
    with pytest.raises(GateFailed, match=r"on the photos of --data its answers differ from torch's: \d+ detections"):
        write_onnx(traced.model, target, PLAIN, Proof(PROOF.limits, dataset=annotated, max_drop=1.0, resamples=20))


def test_a_loss_of_ap_is_a_failed_gate(
    traced, annotated: Dataset, target: Path, untouched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Boxes shifted by a pixel pass wide limits, but not the AP that may be lost."""
    shifted(traced, monkeypatch)
    loose = limits_for(PLAIN, box=5.0)
    with pytest.raises(
        GateFailed, match=r"its AP is 0\.\d+ below torch's 1\.0000, nothing was written; raise --max-drop"
    ):
        write_onnx(traced.model, target, PLAIN, Proof(loose, dataset=annotated, resamples=20))


def test_photos_without_objects_measure_nothing(
    traced, annotated: Dataset, target: Path, untouched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_build(monkeypatch)
    empty = annotated.take_images(np.zeros(0, np.int64))
    with pytest.raises(DataError, match="no object is annotated, give --data annotated photos"):
        write_onnx(traced.model, target, PLAIN, Proof(PROOF.limits, dataset=empty))


def test_a_place_that_cannot_be_written_is_said_before_the_work(
    traced, target: Path, untouched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_build(monkeypatch)
    with pytest.raises(CannotWrite, match="cannot write here"):
        write_onnx(traced.model, target / "model.onnx", PLAIN, PROOF)  # below a file

    def read_only(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkstemp", read_only)
    with pytest.raises(CannotWrite, match=r"cannot write here \(read-only file system\)"):
        write_onnx(traced.model, target, PLAIN, PROOF)


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes: what a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_what_was_there(traced, traced_once: object, target: Path, untouched: None) -> None:
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN  # Python's default: a write fails instead
    with full_disk(20_000), pytest.raises(IoError, match=r"small\.onnx: file too large, free some space; nothing at"):
        write_onnx(traced.model, target, PLAIN, PROOF)


KILLED = """
import os, signal, sys
from pathlib import Path
import onnx
from focalcli.checkpoint import load_model
from focalcli.export import write
from focalcli.export.options import ExportOptions

write.build_onnx = lambda model, options: onnx.load(sys.argv[2])
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
limits = write.limits_for(ExportOptions())
write.write_onnx(load_model(Path(sys.argv[1])), Path(sys.argv[3]), ExportOptions(), write.Proof(limits))
"""


@pytest.mark.e2e
def test_kill_9_leaves_what_was_there_and_the_next_export_cleans_up(
    traced, traced_once: object, target: Path, tmp_path: Path
) -> None:
    """Killed at the worst moment: file and certificate are written and not yet in place."""
    save_model(tmp_path / "small.safetensors", traced.model.state_dict(), traced.config)
    onnx.save(traced.file(PLAIN), tmp_path / "built.onnx")
    before = contents(target.parent)
    words = [sys.executable, "-c", KILLED, *map(str, (tmp_path / "small.safetensors", tmp_path / "built.onnx", target))]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    left = contents(target.parent)
    assert {name: left.pop(name) for name in before} == before
    assert len(left) == 2 and all(name.startswith(TEMPORARY_PREFIX) for name in left)
    write_onnx(traced.model, target, PLAIN, PROOF)
    assert sorted(contents(target.parent)) == [target.name, certificate_path(target).name]
    assert all(check.holds for check in verify(target))


def test_weights_that_one_file_cannot_hold_are_refused_at_once(traced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focalcli.export.graph._MOST_WEIGHTS", 1000)
    monkeypatch.setattr("focalcli.export.graph.trace_network", None)
    with pytest.raises(
        Unavailable, match=r"backbone 'test_resnet': makes 0\.0 GB of weights, and one ONNX file holds 2"
    ):
        build_onnx(traced.model, PLAIN)
