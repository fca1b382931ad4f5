"""Which format a path holds: every format looks, the best evidence wins, a tie is an error that shows it all."""

from pathlib import Path

from focalcli.dataset.format import Match
from focalcli.dataset.formats import table
from focalcli.dataset.peek import Peek
from focalcli.errors import DataError


def candidates(path: Path) -> dict[str, Match]:
    """Give the claims of all readable formats on a path, by the format's name."""
    peek = Peek(path)
    found: dict[str, Match] = {}
    for name in table.names():
        module = table.load(name)
        if module.INFO.can_read and (match := module.sniff(peek)) is not None:
            found[name] = match
    return found


def recognise(path: Path) -> tuple[str, str]:
    """Give the format of a path and the evidence for it.

    Raises:
        DataError: no format claims it, or several do with equal right.
    """
    found = candidates(path)
    if not found:
        kind = "folder" if path.is_dir() else "file"
        known = ", ".join(table.names())
        raise DataError(path, f"the {kind} is not recognised as a data set", f"name its format with --from ({known})")
    best = max(match.confidence for match in found.values())
    first, *others = [name for name, match in found.items() if match.confidence == best]
    if others:
        claims = "; ".join(f"{name} because {found[name].evidence}" for name in (first, *others))
        raise DataError(path, f"could be {claims}", "name the annotation file itself, or its format with --from")
    return first, found[first].evidence
