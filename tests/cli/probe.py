"""The program with verbs that fail in every way: `python probe.py fail KIND` behaves as `focalcli` does."""

import errno
import os
import signal
import time
from typing import Annotated, Literal

import typer
from msgspec import Meta, Struct

from focalcli import errors
from focalcli.cli import app
from focalcli.cli.console import detail, say


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """Stands for TrainConfig."""

    epochs: Annotated[int, Meta(ge=1, description="How long.", extra={"group": "Schedule"})] = 20
    rate: Annotated[float, Meta(gt=0)] | None = None
    sizes: tuple[Annotated[int, Meta(ge=16)], ...] = (320, 544)
    augment: Literal["none", "light"] = "light"
    average: bool = True
    alpha: Annotated[float, Meta(ge=0, le=1)] | None = 0.25


def fit(
    config: Recipe,
    data: Annotated[str, typer.Argument(help="The data set.")] = ".",
    seed: Annotated[int, typer.Option(help="Where chance starts.")] = 0,
    keep: Annotated[list[str] | None, typer.Option(help="Classes to keep.")] = None,
) -> None:
    """Fit a recipe.

    More about it, told over
    two lines.

    Example:
        focalcli fit data --epochs 3
    """
    print(config, data, seed, keep)


def fail(kind: str) -> None:
    """Fail in the way that is named."""
    FAILURES[kind]()


def _die(error: BaseException) -> None:
    raise error


def _wait_for(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(30)


def _pour() -> None:
    for number in range(1_000_000):
        print(number)


def _talk() -> None:
    say("file \x1b[31m\udcff")
    detail("more")
    print("result")


FAILURES = {
    **{
        kind.code: lambda kind=kind: _die(kind("cat.txt", "is a dog", "bark"))
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.FocalError)
    },
    "bug": lambda: _die(ValueError("two\nlines")),
    "memory": lambda: _die(MemoryError()),
    "enoent": lambda: open("absent.txt"),
    "full": lambda: _die(OSError(errno.ENOSPC, "No space left on device", "big.bin")),
    "missing-package": lambda: _die(ModuleNotFoundError("No module named 'av'", name="av")),
    "sigint": lambda: _wait_for(signal.SIGINT),
    "sigterm": lambda: _wait_for(signal.SIGTERM),
    "exit": lambda: _die(typer.Exit(3)),
    "pour": _pour,
    "talk": _talk,
}

if __name__ == "__main__":
    from focalcli.__main__ import main

    app.VERBS["fail"] = app.Verb("__main__:fail", "Probe", "Fail in the way that is named.")
    app.VERBS["fit"] = app.Verb("__main__:fit", "Probe", "Fit a recipe.")
    main()
