"""The way in: what is recognised, what is refused, how the choice is told."""

import time
from pathlib import Path
from typing import Any

import pytest

from focalcli.dataset.formats import table
from focalcli.dataset.peek import Peek, outline, unwrapped
from focalcli.dataset.read import read_dataset
from focalcli.errors import DataError, InputNotFound, Unavailable, UsageError

EMPTY = {"images": [], "annotations": [], "categories": []}


def test_a_missing_path_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="nowhere: no such file or folder, check the path of the data set"):
        read_dataset(tmp_path / "nowhere")


def test_a_missing_folder_of_images_is_one_line(folder: Any, tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="nowhere: no such folder, check --images"):
        read_dataset(folder.json("c.json", EMPTY), images=tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["notes.txt", "readme.md", "x.json"])
def test_what_nobody_knows_is_refused_with_the_formats(folder: Any, name: str) -> None:
    folder.text(name, "hello")
    with pytest.raises(DataError, match=r"is not recognised as a data set, name its format with --from \(.*coco.*yolo"):
        read_dataset(folder.path)


def test_an_empty_folder_is_no_data_set(folder: Any) -> None:
    with pytest.raises(DataError, match="not recognised"):
        read_dataset(folder.path)


def test_two_formats_of_one_strength_are_an_error_that_shows_both(folder: Any) -> None:
    folder.json("c.json", EMPTY)
    folder.text("a.xml", "<annotation/>")
    with pytest.raises(DataError) as caught:
        read_dataset(folder.path)
    claims = (
        "coco because c.json has the keys images, annotations, categories; voc because a.xml has the root <annotation>"
    )
    assert claims in str(caught.value) and "--from" in str(caught.value)
    assert read_dataset(folder.path, format="coco").format == "coco"
    assert read_dataset(folder / "c.json").format == "coco"


def test_content_beats_layout(folder: Any) -> None:
    folder.json("c.json", EMPTY)
    folder.photo("images/a.jpg")
    folder.text("labels/a.txt", "0 .5 .5 .1 .1\n")
    assert read_dataset(folder.path).format == "coco"


def test_the_choice_is_told(folder: Any) -> None:
    dataset = read_dataset(folder.json("c.json", EMPTY))
    assert dataset.info["read_as"] == "COCO because c.json has the keys images, annotations, categories"
    assert read_dataset(folder / "c.json", format="coco").info["read_as"] == "COCO because you said so"


def test_a_folder_around_the_data_set_is_entered(folder: Any) -> None:
    folder.json("download/set/c.json", EMPTY)
    assert unwrapped(folder.path) == folder / "download/set"
    assert read_dataset(folder.path).root == folder / "download/set"


def test_a_folder_of_the_layout_is_not_entered(folder: Any) -> None:
    folder.json("annotations/c.json", EMPTY)
    assert unwrapped(folder.path) == folder.path


def test_an_unknown_format_names_the_known(folder: Any) -> None:
    with pytest.raises(UsageError, match="'cocoo' is not known, did you mean coco"):
        read_dataset(folder.json("c.json", EMPTY), format="cocoo")


def test_every_alias_leads_to_a_format() -> None:
    for alias, name in table.ALIASES.items():
        assert name in table.FORMATS and alias not in table.FORMATS


@pytest.mark.parametrize("name", sorted(table.FORMATS))
def test_every_format_says_its_own_name(name: str) -> None:
    info = table.load(name).INFO
    assert info.name == name and info.title and (info.can_read or info.can_write)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Install entry points that exist only in this test."""

    class Entry:
        def __init__(self, name: str, value: str) -> None:
            self.name, self.value = name, value

    def install(**entries: str) -> None:
        monkeypatch.delenv("FOCALCLI_NO_PLUGINS", raising=False)
        monkeypatch.setattr(table, "entry_points", lambda group: [Entry(*entry) for entry in entries.items()])
        table._plugins.cache_clear()

    yield install
    monkeypatch.undo()
    table._plugins.cache_clear()


def test_a_plugin_is_a_format_like_ours(plugin: Any) -> None:
    plugin(mine="focalcli.dataset.formats.coco", theirs="focalcli.dataset.formats:coco")
    assert {"mine", "theirs"} < set(table.names())
    assert table.load("mine").INFO.name == "coco"


def test_a_plugin_that_takes_our_name_is_an_error(plugin: Any) -> None:
    plugin(coco="x:y")
    with pytest.raises(Unavailable, match="takes the name of the format coco, uninstall it"):
        table.names()


def test_a_plugin_that_does_not_import_is_an_error_when_it_is_used(plugin: Any) -> None:
    plugin(mine="no_such_module_anywhere")
    assert "mine" in table.names()
    with pytest.raises(Unavailable, match="format plug-in mine: does not import"):
        table.load("mine")


def test_plugins_can_be_turned_off(plugin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(mine="focalcli.dataset.formats.coco")
    monkeypatch.setenv("FOCALCLI_NO_PLUGINS", "1")
    assert "mine" not in table.names()


# Peeking


@pytest.mark.parametrize("text", ["", "null", "3", '"x"', "x"])
def test_what_is_no_object_or_array_has_no_outline(text: str) -> None:
    assert outline(text) == ("", (), {})


@pytest.mark.parametrize("text", ['[{"' + '\\"' * 120_000, '[{"' + "\\\n" * 120_000, '["' * 125_001 + "\\"])
def test_a_text_nobody_closes_takes_no_time(text: str) -> None:
    """It took 12 s for 250 kB: every quote in it was tried as the start of another, to the end."""
    start = time.process_time()
    outline(text)
    assert time.process_time() - start < 1.0


def test_an_outline_has_the_keys_one_level_down() -> None:
    text = '{"a": {"b": {"c": 1}}, "d": [{"e": "} \\" ["}, {"f": 1}], "g": 1}'
    assert outline(text) == ("object", ("a", "d", "g"), {"a": ("b",), "d": ("e",)})
    assert outline('[{"a": {"x": 1}, "b": 2}, {"c": 1}]') == ("array", (), {"": ("a", "b")})


def test_a_peek_sees_three_levels_and_no_hidden_files(folder: Any) -> None:
    for name in ("a.txt", "b/c.txt", "b/d/e.txt", "b/d/f/g.txt", ".git/x", "__MACOSX/y"):
        folder.text(name, "")
    assert Peek(folder.path).names == ("a.txt", "b/c.txt", "b/d/e.txt")


def test_many_photos_do_not_hide_the_annotations(folder: Any) -> None:
    for number in range(450):
        folder.text(f"a/{number:04d}.jpg", "")
    folder.json("annotations/c.json", EMPTY)
    peek = Peek(folder.path)
    assert "annotations/c.json" in peek.names and len(peek.photos) == 400
