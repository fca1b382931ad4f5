"""`focalcli verify`: an exported file against its certificate, without torch."""

from pathlib import Path
from typing import Annotated

import typer

from focalcli.errors import GateFailed


def verify(
    model: Annotated[Path, typer.Argument(metavar="FILE", help="ONNX file with its FILE.json beside it.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check an exported file against its certificate.

    Its hash, its structure, its metadata, and its answers on the images of the certificate, which are made again from
    numbers. Needs neither torch nor photos. Exit code 1 when anything does not hold.

    Example: focalcli verify bay.onnx
    """
    from focalcli.export.verify import verify as run

    checks = run(model)
    if json:
        from msgspec.json import encode

        print(encode({"file": str(model), "checks": [check._asdict() for check in checks]}).decode())
    else:
        for check in checks:
            print(f"{'ok' if check.holds else 'FAILED':6} {check.name:24} {check.seen}")
    failed = [check.name for check in checks if not check.holds]
    if failed:
        raise GateFailed(model, f"does not hold: {', '.join(failed)}", "export it again")
