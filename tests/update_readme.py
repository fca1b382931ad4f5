"""Refresh what is generated from the command line: `python -m tests.update_readme`.

The help texts in README.md (in fenced blocks, after a line `$ focalcli ... --help`), the scripts in completions/ and
the manual beside them. The tests compare; this writes.
"""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path

from focalcli.cli.completions import SCRIPTS
from focalcli.cli.console import run
from focalcli.cli.man import manual

ROOT = Path(__file__).parent.parent
MANUAL = ROOT / "completions" / "focalcli.1"

_BLOCK = re.compile(r"(?P<command>^\$ focalcli (?P<words>.*--help)\n)(?P<output>(?s:.*?))(?=^\$ |^```)", re.M)


def output_of(words: str) -> str:
    """Run the program and give what it prints."""
    with redirect_stdout(io.StringIO()) as printed:
        assert run(words.split()) == 0, words
    return printed.getvalue()


def refreshed(text: str) -> str:
    """Give the text with the output of every `$ focalcli ... --help` as it is today."""
    return _BLOCK.sub(lambda block: block["command"] + output_of(block["words"]), text)


def generated() -> dict[Path, str]:
    """Give each generated file and what it must hold."""
    scripts = {ROOT / "completions" / file: script for file, script in SCRIPTS.values()}
    readme = ROOT / "README.md"
    if not readme.exists():
        return scripts | {MANUAL: manual()}
    return scripts | {MANUAL: manual(), readme: refreshed(readme.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    for path, content in generated().items():
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            print(path.relative_to(ROOT))
