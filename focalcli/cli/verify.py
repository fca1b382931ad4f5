"""`focalcli verify`: an exported file against its certificate, without torch."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from focalcli.errors import GateFailed


def verify(
    model: Annotated[Path, typer.Argument(metavar="FILE", help="ONNX file with its FILE.json beside it.")],
    json: Annotated[bool, typer.Option("--json", help="Write JSON, also to a terminal.")] = False,
) -> None:
    """Check an exported file against its certificate.

    It compares the file's hash, structure and metadata, and its answers on the images of the certificate, which are
    made again from numbers. It needs neither torch nor photos. The result is a table on a terminal, JSON otherwise.
    The exit code is 1 when anything does not hold.

    Example: focalcli verify bay.onnx
    """
    from focalcli.export.verify import verify as run

    checks = run(model)
    if json or not sys.stdout.isatty():
        from msgspec.json import encode

        print(encode({"file": str(model), "checks": [check._asdict() for check in checks]}).decode())
    else:
        for check in checks:
            print(f"{'ok' if check.holds else 'FAILED':6} {check.name:24} {check.seen}")
    failed = [check.name for check in checks if not check.holds]
    if failed:
        raise GateFailed(model, f"does not hold: {', '.join(failed)}", "export it again")
