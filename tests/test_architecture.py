"""The house keeps its shape: imports go one way, and the shell starts without heavy modules."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "focalcli"

# Left may import right, never the other way. Rooms in one tuple do not know each other.
ORDER = [
    ("__main__",),
    ("cli",),
    ("api", "testing"),
    ("insight",),
    ("training",),
    ("export",),
    ("evaluation",),
    ("inference",),
    ("checkpoint", "ranks"),
    ("dataset", "losses"),
    ("images", "detection"),
    ("config", "train_config", "files", "torch_files"),
    ("errors", "__init__"),
]
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}

# What may not be imported at all in a room, even inside a function, with all the room's modules.
FORBIDDEN = {
    "dataset": {"torch", "torchvision", "timm", "albumentations", "onnxruntime"},
    "images": {"torch", "torchvision", "timm", "albumentations", "onnxruntime"},
    "detection": {"rich", "typer", "PIL", "albumentations", "onnxruntime"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_to_the_right(path: Path) -> None:
    here = room(path)
    assert here in RANK, f"{path}: the room {here!r} has no place in ORDER"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "focalcli" or len(parts) == 1:
            continue
        there = parts[1] if parts[1] in RANK else "__init__"
        if there == here:
            continue
        assert RANK[there] > RANK[here], f"{path}: {here} may not import {there}"
        if here == "dataset" and there == "images":
            assert name.startswith("focalcli.images.sizes"), f"{path}: data sets take only header sizes, not {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_keep_what_they_may_not_know_out(path: Path) -> None:
    forbidden = FORBIDDEN.get(room(path), set())
    assert not {name.split(".")[0] for name in imported(path)} & forbidden


@pytest.mark.parametrize("words", [["--help"], ["--version"]], ids=" ".join)
def test_the_shell_starts_without_heavy_modules(words: list[str]) -> None:
    code = (
        "import sys; from focalcli.cli.console import run; run(sys.argv[1:]);"
        "print([m for m in ('torch', 'numpy', 'rich', 'PIL', 'matplotlib', 'albumentations', 'onnxruntime')"
        " if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_the_onnx_runtime_needs_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; import focalcli.inference.onnx_runtime"
    subprocess.run([sys.executable, "-c", code], check=True)
