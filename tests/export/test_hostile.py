"""Model files that lie: through the verbs a user runs, each is one line, exit 65, little memory, and no code runs."""

import json
import os
import pickle
import resource
import socket
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image
from safetensors.torch import save

from focalcli.checkpoint import HEADER_KEY, load_training_state
from focalcli.cli.console import run
from focalcli.config import encode_config
from focalcli.errors import DataError
from focalcli.export.cases import generated
from focalcli.export.certificate import certificate_path
from focalcli.export.options import ExportOptions
from focalcli.export.write import Proof, limits_for, write_onnx

MOST_MEMORY, MOST_SECONDS = 500 * 2**20, 10


@pytest.fixture(autouse=True)
def bounded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test here may take 500 MB more than there were, half a minute, or a connection."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST_MEMORY
    assert time.monotonic() - begun < 30


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a verb on a model file: exit 65, one line, no output. Gives the line."""
    photo, data = tmp_path / "photo.png", tmp_path / "data.json"
    Image.fromarray(generated(1, (64, 64))).save(photo)
    categories = [{"id": 3, "name": "red cell"}]
    boxes = [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [4, 4, 20, 20], "area": 400, "iscrowd": 0}]
    images = [{"id": 1, "file_name": "photo.png", "width": 64, "height": 64}]
    data.write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))
    out = tmp_path / "out"
    words = {
        "detect": lambda model: ["detect", str(photo), "--model", model],
        "evaluate": lambda model: ["evaluate", str(data), "--model", model],
        "export": lambda model: ["export", "--onnx", "--model", model, "-o", f"{out}.onnx"],
        "import": lambda model: ["import", model, "-o", f"{out}.safetensors"],
        "verify": lambda model: ["verify", model],
    }

    def call(verb: str, model: Path) -> str:
        begun = time.monotonic()
        code = run(words[verb](str(model)))
        done = capsys.readouterr()
        errors = [line for line in done.err.splitlines() if not line.startswith("model: ")]
        assert code == 65 and len(errors) == 1 and errors[0].startswith("error: "), (verb, code, done.err[-2000:])
        assert done.out == "" and len(errors[0]) < 2000 and not list(tmp_path.glob("out*"))
        assert time.monotonic() - begun < MOST_SECONDS
        return errors[0]

    return call


def test_a_checkpoint_cut_at_every_hundredth(refused, checkpoint: Path) -> None:
    content = checkpoint.read_bytes()
    for share in range(100):
        checkpoint.write_bytes(content[: len(content) * share // 100])
        refused("detect", checkpoint)
        if share % 10 == 0:
            refused("evaluate", checkpoint)
            refused("export", checkpoint)
            refused("import", checkpoint)


def test_an_onnx_file_cut_at_every_hundredth(refused, traced, tmp_path: Path) -> None:
    content, path = traced.file(ExportOptions()).SerializeToString(), tmp_path / "cut.onnx"
    for share in range(100):
        path.write_bytes(content[: len(content) * share // 100])
        refused("detect", path)
        if share % 20 == 0:
            refused("evaluate", path)
            refused("export", path)


@pytest.mark.parametrize("new_form", [True, False], ids=["zip", "before zip"])
def test_a_pickled_file_cut_at_every_hundredth(refused, traced, tmp_path: Path, new_form: bool) -> None:
    path = tmp_path / "cut.pth"
    torch.save(traced.model.state_dict(), path, _use_new_zipfile_serialization=new_form)
    content = path.read_bytes()
    for share in range(100):
        path.write_bytes(content[: len(content) * share // 100])
        refused("import", path)
        if share % 10 == 0:
            refused("detect", path)
            with pytest.raises(DataError):
                load_training_state(path)


class Call:
    """Pickles into a call of something."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def in_zip(pickled: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, part in (("a/data.pkl", pickled), ("a/version", b"3\n"), ("a/byteorder", b"little")):
            archive.writestr(name, part)
    return content.getvalue()


def test_code_in_a_pickle_never_runs(refused, tmp_path: Path) -> None:
    """As a plain pickle, in torch's two forms, by names of either protocol, and under either suffix."""
    marker = tmp_path / "marker"
    evil = {"model": Call(os.mkdir, str(marker))}
    contents = [pickle.dumps(evil, protocol) for protocol in range(6)]
    contents += [in_zip(pickle.dumps(evil, protocol)) for protocol in range(6)]
    contents += [in_zip(pickle.dumps({"a": Call(eval, f"open({str(marker)!r}, 'w')")}, 2))]
    for new_form in (True, False):
        saved = BytesIO()
        torch.save(evil, saved, _use_new_zipfile_serialization=new_form)
        contents.append(saved.getvalue())
    for content in contents:
        for name in ("best.pth", "best.safetensors", "best.onnx"):
            path = tmp_path / name
            path.write_bytes(content)
            refused("import", path)
            refused("detect", path)
        refused("export", path)
        with pytest.raises(DataError):
            load_training_state(path)
        path.unlink()
    assert not marker.exists()


def test_a_small_pickled_file_cannot_take_much_memory(refused, tmp_path: Path) -> None:
    """A bytearray of 4 GB, a record of compressed zeros, a tensor that repeats one number, and one of 4 TB."""
    zeros = BytesIO()
    torch.save({"a": torch.zeros(200_000_000, dtype=torch.uint8)}, zeros)
    bomb = BytesIO()
    with zipfile.ZipFile(zeros) as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    repeated = BytesIO()
    torch.save({"a": torch.zeros(1, dtype=torch.float16).expand(10**6, 10**6)}, repeated)
    contents = {
        "bytearray": in_zip(pickle.dumps({"a": Call(bytearray, 2**32)}, 2)),
        "tensor": in_zip(pickle.dumps({"a": Call(torch.Tensor, 2**20, 2**20)}, 2)),
        "zeros": bomb.getvalue(),
        "repeated": repeated.getvalue(),
        "deep": in_zip(b"\x80\x02" + b"(" * 100_000 + b"." + b"l" * 1000),
    }
    for name, content in contents.items():
        path = tmp_path / f"{name}.pth"
        path.write_bytes(content)
        assert len(content) < 2**20
        assert "nothing in it was run" in refused("import", path)
        with pytest.raises(DataError):
            load_training_state(path)


def with_header(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


@pytest.mark.parametrize("content", [
    with_header({"a": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 2**62]}}),
    with_header({"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]}}),
    with_header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}),
    with_header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}),
    struct.pack("<Q", 2**63) + b"{",
    struct.pack("<Q", 90_000_000) + b"{",
    with_header(b'{"a":' + b"[" * 50_000),
], ids=["petabytes", "overflow", "no body", "before the file", "long header", "header cut", "deep"])  # fmt: skip
def test_a_header_that_declares_too_much(refused, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "huge.safetensors"
    path.write_bytes(content)
    for verb in ("detect", "export", "import"):
        refused(verb, path)


def weights_of(traced) -> dict[str, torch.Tensor]:
    return {name: tensor.contiguous() for name, tensor in traced.model.state_dict().items()}


CONFIGURATIONS = {
    "a backbone from the network": {"backbone": "hf-hub:someone/something"},
    "a backbone from the disk": {"backbone": "local-dir:/etc"},
    "a backbone nobody has": {"backbone": "nothing"},
    "another backbone": {"backbone": "resnet101"},
    "a huge backbone": {"backbone": "resnetv2_152x4_bit"},
    "a huge backbone without the levels": {"backbone": "convnext_xxlarge"},
    "wide heads": {"head_channels": 10**9},
    "wide heads within the limits": {"head_channels": 4096},
    "deep heads": {"head_convs": 10**9},
    "deep, wide heads within the limits": {"head_convs": 32, "head_channels": 4096, "pyramid_channels": 4096},
    "a wide pyramid": {"pyramid_channels": 2**40},
    "a large photo": {"fit": {"min_size": 10**9, "max_size": 10**9}},
    "a coarse canvas": {"fit": {"divisor": 10**9}},
    "many candidates": {"postprocess": {"max_detections": 10**15}},
    "many anchors": {"anchors": {"scales": [1.0] * 5000}},
    "no level": {"anchors": {"sizes": [32.0]}},
    "no spread": {"std": [0, 0, 0]},
    "no class": {"classes": []},
    "too few thresholds": {"postprocess": {"class_thresholds": [0.5]}},
    "too many classes": {"classes": [{"name": str(i), "id": i} for i in range(50)]},
}


@pytest.mark.parametrize("changes", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_configuration_that_its_weights_do_not_bear_out(refused, traced, tmp_path: Path, changes: dict) -> None:
    config = json.loads(encode_config(traced.config))
    for key, value in changes.items():
        config[key] = {**config[key], **value} if isinstance(value, dict) else value
    path = tmp_path / "other.safetensors"
    header = {HEADER_KEY: json.dumps({"config": config, "notes": {}})}
    path.write_bytes(save(weights_of(traced), metadata=header))
    refused("detect", path)
    refused("export", path)


def saved_with(traced, path: Path, **changes: torch.Tensor) -> Path:
    header = {HEADER_KEY: json.dumps({"config": json.loads(encode_config(traced.config)), "notes": {}})}
    path.write_bytes(save({**weights_of(traced), **changes}, metadata=header))
    return path


def test_weights_that_are_no_numbers_of_a_model(refused, traced, tmp_path: Path) -> None:
    name = "head.classification_head.cls_logits.bias"
    weights = traced.model.state_dict()[name]
    kinds = (torch.bool, torch.uint8, torch.float8_e4m3fn, torch.float8_e5m2, torch.complex64, torch.int16)
    changes = [torch.full_like(weights, value) for value in (float("nan"), float("inf"), -float("inf"))]
    changes += [weights.to(kind) for kind in kinds]
    changes += [torch.zeros(0), torch.zeros(1000, 1000)]
    for change in changes:
        path = saved_with(traced, tmp_path / "bad.safetensors", **{name: change})
        for verb in ("detect", "evaluate", "export"):
            refused(verb, path)


@pytest.fixture(scope="module")
def certificate(traced_for_all, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The certificate of the default form: proving takes two seconds, and one proof serves all lies."""
    traced, options = traced_for_all, ExportOptions()
    path = tmp_path_factory.mktemp("whole") / "whole.onnx"
    traced.model.config = traced.config
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("focalcli.export.write.build_onnx", lambda model, options: traced.file(options))
        write_onnx(traced.model, path, options, Proof(limits_for(options)))
    return certificate_path(path).read_bytes()


def exported(traced, path: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    model = traced.file(ExportOptions())
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def outside(location: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = next(item for item in model.graph.initializer if item.data_type == TensorProto.FLOAT and item.raw_data)
        length = len(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
            tensor.external_data.add(key=key, value=value)

    return change


def declared(*dims: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = next(item for item in model.graph.initializer if item.data_type == TensorProto.FLOAT and item.raw_data)
        del tensor.dims[:]
        tensor.dims.extend(dims)

    return change


def unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Evil", ["images"], ["x"], domain="nowhere"))


GRAPHS = {
    "weights beside": outside("w.bin"),
    "weights above": outside("../w.bin"),
    "weights of the system": outside("/etc/passwd"),
    "a tensor of terabytes": declared(2**20, 2**20),
    "a tensor of more than all": declared(2**40, 2**40),
    "a tensor of less than nothing": declared(-5),
    "an unknown operator": unknown_operator,
    "no network": lambda model: model.graph.ClearField("node"),
}


@pytest.mark.parametrize("change", GRAPHS.values(), ids=GRAPHS)
def test_a_graph_that_lies(refused, traced, certificate: bytes, tmp_path: Path, monkeypatch, capsys, change) -> None:
    """`verify` has the certificate of the whole file beside it: it says what does not hold, exit 1."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.bin").write_bytes(np.ones(10**6, np.float32).tobytes())
    path = exported(traced, tmp_path / "lies.onnx", change)
    refused("detect", path)
    refused("evaluate", path)
    certificate_path(path).write_bytes(certificate)
    assert run(["verify", str(path)]) == 1
    done = capsys.readouterr()
    assert len(done.err.splitlines()) == 1 and "does not hold" in done.err
    assert "ok     hash" not in done.out and "passwd" not in done.err


def test_a_certificate_that_asks_for_much(refused, traced, certificate: bytes, tmp_path: Path) -> None:
    path, whole = exported(traced, tmp_path / "whole.onnx", lambda model: None), json.loads(certificate)
    first = whole["trials"][0]
    for trial in (
        {**first, "case": {**first["case"], "sizes": [[10**6, 10**6]]}},
        {**first, "case": {**first["case"], "sizes": [[0, -1]]}},
        {**first, "case": {**first["case"], "seeds": [1] * 100_000}},
        {**first, "case": {**first["case"], "seeds": [1, 2]}},
        {**first, "answers": []},
        {**first, "answers": [{"boxes": [], "scores": [1.0], "labels": []}]},
        {**first, "answers": [{"boxes": [[0, 0, 1, 1]], "scores": [1.0], "labels": [10**30]}]},
    ):
        certificate_path(path).write_text(json.dumps({**whole, "trials": [trial]}))
        refused("verify", path)
    certificate_path(path).write_text(json.dumps({**whole, "trials": [first] * 1000}))
    refused("verify", path)
    for share in range(0, 100, 4):
        certificate_path(path).write_bytes(certificate[: len(certificate) * share // 100])
        refused("verify", path)
