"""The package starts nothing and installs nothing: its source has no call that runs text, a shell or a pickle."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "focalcli"

RUN_TEXT = {"exec", "eval", "compile", "__import__"}
MODULES = {
    "subprocess",
    "pty",
    "pip",
    "ensurepip",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "runpy",
    "code",
}
TEXT_LOADERS = {"loader", "yaml.BaseLoader", "yaml.CBaseLoader"}  # `loader` is one of these, in dataset/decode.py
CALLS = {
    "os.system", "os.popen", "os.startfile", "os.execv", "os.execve", "os.execvp", "os.execvpe", "os.spawnv", "os.fork",
    "pickle.load", "pickle.loads", "pickle.Unpickler", "yaml.unsafe_load", "yaml.full_load",
    "torch.hub.load", "torch.hub.load_state_dict_from_url", "torch.jit.load",
}  # fmt: skip


def dangers(source: str) -> list[str]:
    """Give what in a module's source could run something that came from outside, as `line: what`."""
    return [f"{node.lineno}: {what}" for node in ast.walk(ast.parse(source)) for what in dangers_of(node)]


def dangers_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
    if isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name for name in names if name.split(".")[0] in MODULES or name in CALLS | {"torch.load"}]
    if not isinstance(node, ast.Call):
        return []
    name = ast.unparse(node.func)
    told = {word.arg: ast.unparse(word.value) for word in node.keywords}
    found = [name] if name in RUN_TEXT | CALLS else []
    if name == "torch.load" and told.get("weights_only") != "True":
        found.append("torch.load without weights_only=True")
    if name == "yaml.load" and told.get("Loader") not in TEXT_LOADERS:
        found.append("yaml.load of more than text")
    return found + [f"{word}=True" for word in ("shell", "allow_pickle") if told.get(word) == "True"]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_from_outside_can_run(path: Path) -> None:
    assert dangers(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "exec(x)", "eval(x)", "import subprocess", "from subprocess import run", "import pip._internal", "os.system(x)",
        "from os import system", "pickle.loads(x)", "from pickle import loads", "torch.load(x)",
        "torch.load(x, weights_only=False)", "from torch import load", "numpy.load(x, allow_pickle=True)",
        "f(x, shell=True)", "yaml.load(x)",
    ],
)  # fmt: skip
def test_what_could_run_is_seen(source: str) -> None:
    assert len(dangers(source)) == 1


def test_what_only_reads_is_not() -> None:
    assert dangers("torch.load(x, weights_only=True); numpy.load(x); re.compile(x); model.eval()") == []
