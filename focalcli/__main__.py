"""The program: runs the command line and leaves with its exit code. The only module that exits."""

import sys
import warnings


def main() -> None:
    """Run `focalcli` with the process's arguments."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # talk of libraries to their programmers; python -W default shows it
    try:
        from focalcli.cli.console import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while importing
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
