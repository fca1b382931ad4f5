"""The one place that runs the application, prints errors and chooses the exit code."""

import os
import sys
from typing import Any

import typer

from focalcli.cli.app import build
from focalcli.errors import FocalError

# Typer vendors Click privately; its public BadParameter leads to the common base of usage errors.
_ClickException: type[Any] = typer.BadParameter.__mro__[2]


def run(arguments: list[str]) -> int:
    """Run the command line and give the exit code (DESIGN: 0, 1, 2, 65 to 78, 130, 141, 143)."""
    debug = "--debug" in arguments
    arguments = [word for word in arguments if word != "--debug"]
    try:
        result = build(arguments)(args=arguments, prog_name="focalcli", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except FocalError as error:
        if debug:
            raise
        say(f"error: {error}")
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except _ClickException as error:
        say(f"error: {error.format_message()}")
        return 2


def say(text: str) -> None:
    """Print one line to stderr, where all talk goes."""
    print(text, file=sys.stderr, flush=True)
