"""Findings as JUnit XML, for pipelines that show test results: one case a code, failed where the level is reached."""

from collections.abc import Sequence
from xml.etree import ElementTree

from focalcli.dataset.findings import CODES
from focalcli.dataset.types import Finding, Severity


def as_junit(findings: Sequence[Finding], fail_on: Severity) -> str:
    """Write one test case for each code that can be found; findings below the level are told but do not fail it."""
    failing = {"error"} if fail_on == "error" else {"error", "warning"}
    codes = [code for code, row in CODES.items() if row.severity != "info"]
    failed = {finding.code for finding in findings if finding.severity in failing}
    suite = ElementTree.Element("testsuite", name="focalcli", tests=str(len(codes)), failures=str(len(failed)))
    for code in codes:
        case = ElementTree.SubElement(suite, "testcase", classname="focalcli.validate", name=code)
        lines = [_visible(finding) for finding in findings if finding.code == code]
        if code in failed:
            ElementTree.SubElement(case, "failure", message=lines[0]).text = "\n".join(lines)
        elif lines:
            ElementTree.SubElement(case, "system-out").text = "\n".join(lines)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode")


def _visible(finding: Finding) -> str:
    """Give the line of a finding with what XML cannot hold spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(finding))
