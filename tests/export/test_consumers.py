"""The examples of other languages give what `focalcli detect` gives."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from PIL import Image

from focalcli.export.cases import generated
from focalcli.export.options import ExportOptions
from focalcli.images.decode import read_image
from focalcli.inference.detector import Detector
from focalcli.inference.onnx_runtime import OnnxRuntime

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "consumers"
NODE_MODULES = ROOT / ".venv" / "node" / "node_modules"  # where .ci/packages puts them
PHOTO_SIZE = (180, 250)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.ppm"
    Image.fromarray(generated(2, PHOTO_SIZE)).save(path)
    return path


def save(traced, path: Path, options: ExportOptions) -> Path:
    onnx.save(traced.file(options), path)
    return path


def expected(traced, tmp_path: Path, photo: Path) -> list[dict]:
    runtime = OnnxRuntime(save(traced, tmp_path / "plain.onnx", ExportOptions()), device="cpu")
    [found] = Detector(runtime).detect([read_image(photo)])
    assert len(found) > 20
    names = [info.name for info in traced.config.classes]
    columns = zip(found.boxes.tolist(), found.scores.tolist(), found.classes.tolist(), strict=True)
    return [{"box": box, "score": score, "class": names[label]} for box, score, label in columns]


def same(lines: str, wanted: list[dict], *, box: float, score: float, share: float) -> None:
    """Pair every wanted detection with one of its class; `share` of them must be within the limits."""
    found = [json.loads(line) for line in lines.splitlines()]
    hits = sum(
        any(
            one["class"] == other["class"]
            and abs(one["score"] - other["score"]) <= score
            and max(abs(a - b) for a, b in zip(one["box"], other["box"], strict=True)) <= box
            for other in found
        )
        for one in wanted
    )
    assert hits >= share * len(wanted) and abs(len(found) - len(wanted)) <= (1 - share) * len(wanted)


def test_python_with_three_libraries(traced, tmp_path: Path, photo: Path) -> None:
    wanted = expected(traced, tmp_path, photo)
    words = [sys.executable, str(EXAMPLES / "detect.py"), str(tmp_path / "plain.onnx"), str(photo)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    same(done.stdout, wanted, box=0.01, score=1e-4, share=1.0)
    assert len((EXAMPLES / "detect.py").read_text().splitlines()) <= 25


def node_environment() -> dict[str, str]:
    places = [os.environ.get("NODE_PATH", ""), str(NODE_MODULES)]
    return {**os.environ, "NODE_PATH": os.pathsep.join(filter(None, places))}


def has(package: str) -> bool:
    """Say whether Node is here and finds a package, in NODE_PATH or where .ci/packages puts it."""
    words = ["node", "-e", f"require.resolve({package!r})"]
    return (
        bool(shutil.which("node"))
        and not subprocess.run(words, capture_output=True, env=node_environment(), check=False).returncode
    )


@pytest.mark.parametrize("package", ["onnxruntime-web", "onnxruntime-node"])
def test_javascript_in_node(traced, tmp_path: Path, photo: Path, package: str) -> None:
    """Within the bound of the resize inside the graph: 1 px and 0.01 of score for 95 % of the detections."""
    if not has(package):
        pytest.skip(f"needs Node and the npm package {package}: run .ci/packages, or set NODE_PATH to its node_modules")
    wanted = expected(traced, tmp_path, photo)
    model = save(traced, tmp_path / "inside.onnx", ExportOptions(resize_inside=True))
    (tmp_path / "labels.txt").write_text("".join(f"{info.name}\n" for info in traced.config.classes))
    words = ["node", str(EXAMPLES / "detect.cjs"), str(model), str(tmp_path / "labels.txt"), str(photo)]
    environment = {**node_environment(), "ONNXRUNTIME_NODE": package}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    same(done.stdout, wanted, box=1.0, score=0.01, share=0.95)


def test_cpp(traced, tmp_path: Path, photo: Path) -> None:
    root = os.environ.get("ONNXRUNTIME_CPP")
    if root is None or shutil.which("g++") is None:
        pytest.skip("needs g++ and ONNX Runtime's C++ package: set ONNXRUNTIME_CPP to its folder")
    program = tmp_path / "detect"
    build = ["g++", "-std=c++17", str(EXAMPLES / "detect.cpp"), f"-I{root}/include", f"-L{root}/lib", "-lonnxruntime"]
    subprocess.run([*build, f"-Wl,-rpath,{root}/lib", "-o", str(program)], check=True)
    wanted = expected(traced, tmp_path, photo)
    model = save(traced, tmp_path / "inside.onnx", ExportOptions(resize_inside=True))
    (tmp_path / "labels.txt").write_text("".join(f"{info.name}\n" for info in traced.config.classes))
    words = [str(program), str(model), str(tmp_path / "labels.txt"), str(photo)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    same(done.stdout, wanted, box=1.0, score=0.01, share=0.95)


def test_openvino_loads_it(traced, tmp_path: Path, photo: Path) -> None:
    openvino = pytest.importorskip("openvino", reason="needs the extra: pip install 'focalcli[openvino]'")
    path = save(traced, tmp_path / "fixed.onnx", ExportOptions(size=(160, 160)))
    compiled = openvino.Core().compile_model(path, "CPU")
    images = generated(3, (160, 160)).transpose(2, 0, 1)[None]
    theirs = compiled({"images": images})
    ours = OnnxRuntime(path, device="cpu").run(images)
    count = int(theirs["num_dets"][0])
    assert abs(count - int(ours.counts[0])) <= 1 and count > 10
