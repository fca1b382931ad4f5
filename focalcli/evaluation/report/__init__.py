"""One HTML file that shows an evaluation to people: numbers, curves, photos. It needs no network."""

from focalcli.evaluation.report.page import write_report

__all__ = ["write_report"]
