"""The program: runs the command line and leaves with its exit code. The only module that exits."""

import sys


def main() -> None:
    """Run `focalcli` with the process's arguments."""
    from focalcli.cli.console import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
