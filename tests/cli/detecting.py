"""`focalcli detect` with the mock runtime, which finds bright pixels, in the model's place: here, and as a process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from focalcli.cli.console import run
from tests.images.make import encoded


def photo(*channels: int) -> bytes:
    """A black photo, 64 x 80, with a bright square in each of the channels."""
    image = np.zeros((64, 80, 3), np.uint8)
    for channel in channels:
        image[10 : 20 + channel, 5:25, channel] = 255
    return encoded(image, "PNG")


Lines = list[dict]


def detect(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Lines, str]:
    """Run `focalcli detect` and give exit code, lines and what was said."""
    code = run(["detect", *words])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


# The program as a process, with the mock runtime in the model's place.
PROGRAM = [
    sys.executable,
    "-c",
    "import sys; from focalcli.__main__ import main; import focalcli.inference.open as o;"
    "from tests.inference.mock_runtime import MockRuntime; o.open_runtime = lambda path, **_: MockRuntime();"
    "sys.argv = ['focalcli', *sys.argv[1:]]; main()",
    "detect",
]
ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}


def start(*words: str, **options: object) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*PROGRAM, *words],
        stdin=options.pop("stdin", subprocess.DEVNULL),  # type: ignore[call-overload]
        stdout=pipe,
        stderr=pipe,
        env=ENVIRONMENT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
