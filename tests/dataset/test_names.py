"""Names from untrusted files: what may be read, what may be written, what a disk takes for the same."""

import pytest

from focalcli.dataset.names import folded, portable, printable, safe_relative, split_name, stem


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.jpg", "a.jpg"),
        ("./a/./b.jpg", "a/b.jpg"),
        ("a\\b.jpg", "a/b.jpg"),
        ("a//b.jpg", "a/b.jpg"),
        (".hidden", ".hidden"),
        ("...", "..."),
        ("ünï cödé 狗.jpg", "ünï cödé 狗.jpg"),
    ],
)
def test_a_safe_name_is_made_plain(text: str, path: str) -> None:
    assert safe_relative(text) == path


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "is empty"),
        ("./", "is empty"),
        ("..", "leads out"),
        ("a/..", "leads out"),
        ("..\\a", "leads out"),
        ("/a", "is an absolute path"),
        ("\\a", "is an absolute path"),
        ("c:a", "has a drive letter"),
        ("a\n", "has control characters"),
        ("a\x85b", "has control characters"),
    ],
)
def test_an_unsafe_name_is_refused_with_its_fact(text: str, fact: str) -> None:
    with pytest.raises(ValueError, match=fact):
        safe_relative(text)


@pytest.mark.parametrize("text", ["CON", "a/nul.txt", "com1.jpg", "LPT9", "a.", "a /b", "a|b", "what?", "a//b", "a\\b"])
def test_what_windows_cannot_store_is_not_portable(text: str) -> None:
    with pytest.raises(ValueError, match="has"):
        portable(text)


@pytest.mark.parametrize("text", ["console.jpg", "a/com10.jpg", "nullable", ".gitignore", "a b.jpg"])
def test_names_that_only_look_reserved_are_portable(text: str) -> None:
    assert portable(text) == text


def test_case_and_unicode_form_fold_together() -> None:
    assert folded("A.JPG") == folded("a.jpg")
    assert folded("\u00c9.jpg") == folded("e\u0301.jpg")
    assert folded("a.jpg") != folded("b.jpg")


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert printable("a\x1b[2Jb\u202e") == "a\\x1b[2Jb\\u202e"
    assert printable("fine ü") == "fine ü"


def test_a_stem_loses_only_the_last_suffix() -> None:
    assert [stem(path) for path in ("a.b.jpg", "d.e/a", ".a", "d/.a")] == ["a.b", "d.e/a", ".a", "d/.a"]


def test_splits_go_by_their_usual_names() -> None:
    names = ["train", "valid", "validation", "training", "testing", "val2017", "trainval2007", "fold_1", "minival"]
    usual = ["train", "val", "val", "train", "test", "val", "trainval", "fold_1", "minival"]
    assert [split_name(name) for name in names] == usual
