from pathlib import Path

from focalcli.evaluation.bootstrap import Interval
from focalcli.evaluation.reasons import Reasons


def write_report(path: Path, reasons: Reasons, intervals: dict[str, Interval]) -> None:
    """Write."""
    raise NotImplementedError
