import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from focalcli.cli import app
from focalcli.cli.console import run
from tests.cli.detecting import photo
from tests.inference.mock_runtime import MockRuntime

PROBE = Path(__file__).parent / "probe.py"


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Shell = Callable[..., Done]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Run the program, with the probe's verbs, inside this process and in an empty folder."""
    for name in [name for name in os.environ if name.startswith("FOCALCLI_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    with_probe = {name: verb for name, verb in app.VERBS.items() if find_spec(verb.target.partition(":")[0])}
    if "probe" not in sys.modules:
        spec = importlib.util.spec_from_file_location("probe", PROBE)
        sys.modules["probe"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["probe"])
    for verb in ("fail", "fit"):
        with_probe[verb] = app.Verb(f"probe:{verb}", "Probe", f"{verb.title()}.")
    for verb in set(app.VERBS) - set(with_probe):
        monkeypatch.delitem(app.VERBS, verb)
    for verb in set(with_probe) - set(app.VERBS):
        monkeypatch.setitem(app.VERBS, verb, with_probe[verb])

    def call(*words: str, **environment: str) -> Done:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            code = run(list(words))
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture
def process(tmp_path: Path) -> Shell:
    """Run the program, with the probe's verbs, as a real process in an empty folder."""

    def call(*words: str, stdout: object = subprocess.PIPE) -> Done:
        done = subprocess.run(
            [sys.executable, str(PROBE), *words],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if not name.startswith("FOCALCLI_")},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            # a runner in the background ignores SIGINT, and we would inherit that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        return Done(done.returncode, done.stdout or "", done.stderr)

    return call


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """photos/{a.png: red, b/c.png: green and blue, d.png: nothing}, a model, and the mock runtime for it."""
    folder = tmp_path / "photos"
    (folder / "b").mkdir(parents=True)
    for name, content in {"a.png": photo(0), "b/c.png": photo(1, 2), "d.png": photo()}.items():
        (folder / name).write_bytes(content)
    (tmp_path / "runs" / "r").mkdir(parents=True)
    (tmp_path / "runs" / "r" / "best.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("focalcli.inference.open.open_runtime", lambda path, **_: MockRuntime())
    return folder


@pytest.fixture
def valid() -> Callable[[str, object], None]:
    """Hold a value to the schema that `focalcli schema NAME` prints."""
    from focalcli.cli.schema import of

    jsonschema = pytest.importorskip("jsonschema")

    def check(name: str, value: object) -> None:
        jsonschema.Draft202012Validator(of(name)).validate(value)

    return check
