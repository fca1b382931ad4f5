import os
from pathlib import Path, PurePath

import pytest

from focalcli.errors import DataError, FocalError, InputNotFound
from focalcli.inference.sources import Finder, Source
from tests.images.make import encoded, scene

PHOTO = encoded(scene(), "PNG")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """photos/{a.png, b/{1.png, 2.JPG, notes.txt}, c.png}, seen from the folder above."""
    for name in ("a.png", "b/1.png", "b/2.JPG", "c.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PHOTO)
    (tmp_path / "photos" / "b" / "notes.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def names(sources: object) -> list[str]:
    return [source.name for source in sources]  # type: ignore[attr-defined]


def error_of(source: Source) -> FocalError:
    with pytest.raises(FocalError) as caught:
        source.read()
    return caught.value


def test_no_words_give_no_photos() -> None:
    assert names(Finder().named([])) == []
    assert names(Finder().listed([])) == []


def test_a_folder_gives_all_photos_below_it_in_name_order(tree: Path) -> None:
    assert names(Finder().named(["photos"])) == ["photos/a.png", "photos/b/1.png", "photos/b/2.JPG", "photos/c.png"]
    assert names(Finder().named(["photos/"]))[:2] == ["photos/a.png", "photos/b/1.png"]


def test_words_keep_their_order_and_files_their_names(tree: Path) -> None:
    assert names(Finder().named(["photos/c.png", "photos/b", "photos/a.png"])) == [
        "photos/c.png",
        "photos/b/1.png",
        "photos/b/2.JPG",
        "photos/a.png",
    ]


def test_a_glob_is_expanded_in_order_unless_a_file_has_its_name(tree: Path) -> None:
    assert names(Finder().named(["photos/*.png"])) == ["photos/a.png", "photos/c.png"]
    assert names(Finder().named(["photos/**/*.png"])) == ["photos/a.png", "photos/b/1.png", "photos/c.png"]
    (tree / "[x].png").write_bytes(PHOTO)
    assert names(Finder().named(["photos/[x].png"])) == ["photos/[x].png"]


def test_a_named_file_is_a_photo_whatever_its_suffix(tree: Path) -> None:
    (tree / "photo").write_bytes(PHOTO)
    [source] = Finder().named(["photos/photo"])
    assert source.read().shape == (48, 64, 3)


@pytest.mark.parametrize("word", ["none", "none/*.jpg", "photos/*.gif", ""])
def test_what_names_nothing_ends_it_before_anything_is_read(word: str, tree: Path) -> None:
    with pytest.raises(InputNotFound, match="no such file or folder"):
        Finder().named(["photos", word])


def test_a_listed_path_that_names_nothing_is_an_error_in_its_place(tree: Path) -> None:
    good, bad, nul = Finder().listed(["photos/a.png", "none.png", "a\0.png"])
    assert good.read().shape == (48, 64, 3)
    assert isinstance(error_of(bad), InputNotFound)
    assert isinstance(error_of(nul), DataError)


def test_names_of_any_bytes_are_found_and_read(tree: Path) -> None:
    strange = [b"new\nline.png", b"\xff\xfe.png", b"- dash.png", b'"quote".png', "日本.png".encode()]
    folder = tree / "strange"
    folder.mkdir()
    for name in strange:
        (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_bytes(PHOTO)
    found = list(Finder().named(["photos/strange"]))
    assert sorted(os.fsencode(source.name).removeprefix(b"photos/strange/") for source in found) == sorted(strange)
    assert all(source.read().shape == (48, 64, 3) for source in found)


def test_folders_with_the_names_of_photos_pipes_and_loops_are_errors_in_order(tree: Path) -> None:
    (tree / "b" / "0.jpg").mkdir()
    os.mkfifo(tree / "b" / "3.png")
    (tree / "b" / "4.png").symlink_to("4.png")
    (tree / "b" / "up").symlink_to("..")
    found = {source.name: source for source in Finder().named(["photos/b"])}
    assert list(found) == [f"photos/b/{name}" for name in ("0.jpg", "1.png", "2.JPG", "3.png", "4.png", "up")] or (
        list(found)[:5] == [f"photos/b/{name}" for name in ("0.jpg", "1.png", "2.JPG", "3.png", "4.png")]
    )
    assert "is a folder, not a photo" in str(error_of(found["photos/b/0.jpg"]))
    assert "is a pipe, not a photo" in str(error_of(found["photos/b/3.png"]))
    assert "cannot be opened" in str(error_of(found["photos/b/4.png"]))


def test_a_link_back_up_is_an_error_and_not_followed_for_ever(tree: Path) -> None:
    (tree / "b" / "up").symlink_to("..")
    *rest, last = (s for s in Finder().named(["photos"]) if s.name.startswith("photos/b"))
    assert names(rest) == ["photos/b/1.png", "photos/b/2.JPG"]
    assert str(error_of(last)) == "photos/b/up: links back to a folder above it, remove the link"


def test_a_link_to_its_own_folder_is_an_error_too(tree: Path) -> None:
    (tree / "b" / "here").symlink_to(".")
    assert names(Finder().named(["photos/b"])) == ["photos/b/1.png", "photos/b/2.JPG", "photos/b/here"]


def test_a_photo_that_vanishes_after_it_was_found_is_an_error_in_its_place(tree: Path) -> None:
    first, second, *_ = Finder().named(["photos/b"])
    os.remove("photos/b/2.JPG")
    assert first.read().shape == (48, 64, 3)
    assert str(error_of(second)) == "photos/b/2.JPG: no such photo, check the path"


def test_a_folder_that_vanishes_while_photos_are_listed_costs_no_other_photo(tree: Path) -> None:
    found = Finder().named(["photos"])
    (tree / "a2" / "deep").mkdir(parents=True)
    assert next(found).name == "photos/a.png"
    os.rename("photos/a2", "gone")
    assert names(found) == ["photos/b/1.png", "photos/b/2.JPG", "photos/c.png"]


def test_a_link_to_a_folder_beside_is_followed(tree: Path) -> None:
    (tree / "d").symlink_to("b")
    assert names(Finder().named(["photos/d"])) == ["photos/d/1.png", "photos/d/2.JPG"]


def test_the_folder_of_the_results_is_not_read_again(tree: Path) -> None:
    results = tree / "found"
    (results / "pictures").mkdir(parents=True)
    (results / "pictures" / "a.png").write_bytes(PHOTO)
    assert not any("found" in name for name in names(Finder(skip=(results,)).named(["photos"])))


def test_folders_of_results_that_come_to_be_while_photos_are_listed_are_not_read(tree: Path) -> None:
    results = (tree / "b" / "drawn", tree / "z")
    found = Finder(skip=results).named(["photos"])
    assert next(found).name == "photos/a.png"
    for folder in results:
        folder.mkdir()
        (folder / "a.png").write_bytes(PHOTO)
    assert names(found) == ["photos/b/1.png", "photos/b/2.JPG", "photos/c.png"]


def test_places_keep_the_tree(tree: Path) -> None:
    def places(*words: str) -> list[str]:
        return [str(source.place) for source in Finder().named(words)]

    assert places("photos/b") == ["1.png", "2.JPG"]
    assert places("photos")[1] == "b/1.png"
    assert places("photos/b", "photos/c.png") == ["photos/b/1.png", "photos/b/2.JPG", "photos/c.png"]
    [outside] = Finder().listed(["../x/../../y.png"])
    assert outside.place == PurePath("y.png")
    [absolute] = Finder().listed(["/data/y.png"])
    assert absolute.place == PurePath("data/y.png")
