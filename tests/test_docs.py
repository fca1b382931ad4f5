"""What is written about the program is what it does: README, manual and completions are compared with it."""

import ast
import importlib.util
import inspect
import re
from pathlib import Path

import pytest

from focalcli.cli import pages
from focalcli.cli.app import VERBS, command
from focalcli.cli.console import run
from focalcli.cli.failures import EXIT_CODES
from tests.test_architecture import ORDER

ROOT = Path(__file__).parent.parent
BCCD = ROOT.parent / "shared" / "data" / "bccd"


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def update_readme():
    spec = importlib.util.spec_from_file_location("update_readme", ROOT / "tests" / "update_readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_files_are_current() -> None:
    """If not, run `python -m tests.update_readme`."""
    stale = [
        path.relative_to(ROOT)
        for path, content in update_readme().generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != content
    ]
    assert not stale, "run: python -m tests.update_readme"


def test_blocks_of_help_are_replaced_and_nothing_else() -> None:
    text = "a\n```console\n$ focalcli train\n```\n```console\n$ focalcli --help\nold\n$ focalcli demo x\nkept\n```\nb\n"
    fresh = update_readme().refreshed(text)
    assert fresh.startswith("a\n```console\n$ focalcli train\n```\n```console\n$ focalcli --help\nUsage: focalcli VERB")
    assert fresh.endswith("$ focalcli demo x\nkept\n```\nb\n")
    assert update_readme().refreshed(fresh) == fresh


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_is_complete(verb: str) -> None:
    page = pages.page(command(verb))
    assert page.sentence == VERBS[verb].help, "the docstring's first sentence is the one in VERBS"
    assert page.sentence.endswith(".")
    assert any(f"focalcli {verb}" in line for line in page.example), "help ends with a runnable example"
    for title, rows in page.sections.items():
        for row in rows:
            assert row.help, f"{verb}: {title}: {row.names} has no help"


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_a_place_in_the_readme(verb: str, readme: str) -> None:
    assert f"focalcli {verb}" in readme


def test_the_readme_lists_every_exit_code(readme: str) -> None:
    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in readme


@pytest.mark.skipif(not BCCD.is_dir(), reason="BCCD is not here")
def test_the_conversion_in_the_readme_prints_what_it_says(readme: str, tmp_path, monkeypatch, capsys) -> None:
    command, *lines = re.search(r"^\$ focalcli (convert .*?)(?=^\$)", readme, re.M | re.S)[1].splitlines()
    words = [str(BCCD) if word.endswith("shared/data/bccd") else word for word in command.split()]
    monkeypatch.chdir(tmp_path)
    assert run([*words, "--images", "none"]) == 0
    out, err = capsys.readouterr()
    assert [*err.splitlines(), *out.splitlines()] == lines


def test_the_house_in_the_readme_has_every_room_in_its_order(readme: str) -> None:
    plan = re.search(r"^## How it is built.*?^```\n(.*?)^```", readme, re.M | re.S)[1]
    rooms = [re.findall(r"(?:^|\| +)(\w+)", line) for line in plan.splitlines()]
    order = {room: rank for rank, level in enumerate(ORDER) for room in level if not room.startswith("__")}
    drawn = [room for line in rooms for room in line]
    assert sorted(drawn) == sorted(order)
    assert [order[room] for room in drawn] == sorted(order[room] for room in drawn)


@pytest.mark.parametrize("block", range(3))
def test_what_the_readme_calls_from_python_is_there(readme: str, block: int) -> None:
    """Names of ours and of their arguments; the block is not run."""
    tree = ast.parse(re.findall(r"^```python\n(.*?)^```", readme, re.M | re.S)[block])
    names = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    called = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    for call in called:
        owner = call.func.value
        if isinstance(owner, ast.Name) and owner.id in names:
            function = getattr(importlib.import_module(f"focalcli.{owner.id}"), call.func.attr)
            takes = inspect.signature(function).parameters
            assert "settings" in takes or {word.arg for word in call.keywords} <= set(takes)


def test_every_link_within_the_readme_leads_somewhere(readme: str) -> None:
    targets = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]+)", readme)
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_every_link_to_a_section_finds_it(readme: str) -> None:
    """As GitHub names them: small letters, spaces as dashes, no other signs."""
    titles = re.findall(r"^#+ (.*)$", readme, re.M)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    linked = re.findall(r"\]\(#([^)]+)\)", readme)
    assert linked and set(linked) <= anchors
