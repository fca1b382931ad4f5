"""One precedence: pyproject < focalcli.toml < environment < flags; what is wrong is named with file and key."""

from pathlib import Path

import pytest

from focalcli.cli.settings import SHARED, find, strongest
from focalcli.errors import ConfigError

VERBS = ("train", "detect")


def toml(folder: Path, text: str, name: str = "focalcli.toml") -> Path:
    (folder / name).write_text(text)
    return folder


def test_nothing_set_is_no_settings(tmp_path: Path) -> None:
    assert find(tmp_path, {}, VERBS) == {}
    assert find(toml(tmp_path, ""), {"HOME": "/", "FOCALCLI_MODEL": ""}, VERBS) == {}
    assert strongest({}, "train", "epochs") is None


def test_the_stronger_layer_wins_and_within_a_layer_the_verbs_own(tmp_path: Path) -> None:
    toml(tmp_path, "[tool.focalcli]\nseed = 1\n[tool.focalcli.train]\nseed = 2", "pyproject.toml")
    assert strongest(find(tmp_path, {}, VERBS), "train", "seed").value == 2
    assert strongest(find(tmp_path, {}, VERBS), "detect", "seed").value == 1
    toml(tmp_path, "seed = 3")
    assert strongest(find(tmp_path, {}, VERBS), "train", "seed").value == 3
    environment = {"FOCALCLI_TRAIN_SEED": "5", "FOCALCLI_SEED": "4"}
    found = find(tmp_path, environment, VERBS)
    assert strongest(found, "train", "seed")[:2] == ("5", "FOCALCLI_TRAIN_SEED")
    assert strongest(found, "detect", "seed")[:2] == ("4", "FOCALCLI_SEED")


def test_a_shared_key_spares_the_verb_where_it_means_something_else(tmp_path: Path) -> None:
    found = find(toml(tmp_path, "images = 'photos'"), {}, ("convert", "train"))
    assert strongest(found, "train", "images").value == "photos"
    assert strongest(found, "convert", "images") is None


def test_a_named_file_stands_for_both_files(tmp_path: Path) -> None:
    toml(tmp_path, "device = 'cpu'")
    other = toml(tmp_path, "seed = 1", "other.toml") / "other.toml"
    assert {key for _, key in find(tmp_path, {}, VERBS, file=other)} == {"seed"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle = 'x'", "focalcli.toml: modle: not a key that stands outside a table, did you mean model?"),
        ("[trian]\nepochs = 1", "focalcli.toml: [trian]: no such verb, did you mean train?"),
        ("epochs = ", "focalcli.toml: is not TOML: Invalid value (at end of document)"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(toml(tmp_path, text))
    with pytest.raises(ConfigError) as error:
        find(Path(), {}, VERBS)
    assert str(error.value) == message


def test_files_that_are_no_text_or_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "focalcli.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"focalcli.toml: is not UTF-8 text"):
        find(tmp_path, {}, VERBS)
    with pytest.raises(ConfigError, match=r"absent.toml: cannot be read \(no such file or directory\)"):
        find(tmp_path, {}, VERBS, file=tmp_path / "absent.toml")


def test_an_unknown_variable_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="FOCALCLI_MODLE: no such setting, did you mean FOCALCLI_MODEL"):
        find(Path(), {"FOCALCLI_MODLE": "x"}, VERBS)


def test_shared_keys_are_spelled_as_settings_are() -> None:
    assert all(key == key.lower().replace("-", "_") for key in SHARED)


@pytest.mark.parametrize(
    "text",
    ["[fit]\nsizes = [64, 96]\naverage = false\nseed = 7", "seed = 7\n[fit]\nsizes=[64,96]\naverage=false"],
)
def test_settings_become_defaults_and_flags_win(shell, tmp_path: Path, text: str) -> None:
    toml(tmp_path, text)
    assert "sizes=(64, 96), augment='light', average=False, alpha=0.25) . 7" in shell("fit").stdout
    assert "average=True" in shell("fit", "--average").stdout
    assert "sizes=(32,)" in shell("fit", FOCALCLI_FIT_SIZES="32").stdout
    assert "sizes=(48,)" in shell("fit", "--sizes", "48", FOCALCLI_FIT_SIZES="32").stdout


def test_positional_arguments_and_lists_can_be_set(shell, tmp_path: Path) -> None:
    toml(tmp_path, "data = 'photos'\n[fit]\nkeep = ['a', 'b']")
    assert shell("fit").stdout.endswith("photos 0 ['a', 'b']\n")
    assert shell("fit", "here").stdout.endswith("here 0 ['a', 'b']\n")
    toml(tmp_path, "data = 'photos'\n[fit]\nkeep = 'one'")
    assert shell("fit").stdout.endswith("photos 0 ['one']\n"), "one value may stand for a list of one"
    assert shell("fit", "--keep", "c").stdout.endswith("photos 0 ['c']\n")
    assert shell("fit", FOCALCLI_FIT_KEEP="x,y").stdout.endswith("photos 0 ['x', 'y']\n")


def test_dashes_and_underscores_are_the_same_key(shell, tmp_path: Path) -> None:
    toml(tmp_path, "max-pixels = 5\n[fit]\nsizes = [64]")
    assert shell("fit").returncode == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fit]\nepochs = 'ten'", "[fit] epochs: must be a whole number, not 'ten'"),
        ("[fit]\nepochs = '10'", "[fit] epochs: must be a whole number, not '10'"),
        ("[fit]\nepochs = true", "[fit] epochs: must be a whole number, not True"),
        ("[fit]\nepochs = 0", "[fit] epochs: 0 is not a whole number >= 1"),
        ("[fit]\nrate = -1.0", "[fit] rate: -1.0 is not a number > 0, or none"),
        ("[fit]\naverage = 'no'", "[fit] average: must be true or false, not 'no'"),
        ("[fit]\nsizes = 64", "[fit] sizes: must be a list, not 64"),
        ("[fit]\nkeep = [1]", "[fit] keep: must be text in quotes, not 1"),
        ("[fit]\naugment = 'hard'", "[fit] augment: 'hard' is not one of 'none', 'light'"),
        ("[fit]\nepoch = 3", "[fit] epoch: no such key, did you mean epochs?"),
        ("data = 3", "data: must be text in quotes, not 3"),
        ("[fit.kept]\nx = 1", "[fit] kept: no such key, did you mean keep?"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_78_and_names_file_and_key(shell, tmp_path: Path, text: str, message: str) -> None:
    toml(tmp_path, text)
    done = shell("fit")
    assert (done.returncode, done.stderr) == (78, f"error: focalcli.toml: {message}\n")


def test_none_can_be_said_in_a_file(shell, tmp_path: Path) -> None:
    toml(tmp_path, "[fit]\nalpha = 'none'")
    assert "alpha=None" in shell("fit").stdout


def test_a_wrong_variable_is_78_and_named(shell) -> None:
    done = shell("fit", FOCALCLI_FIT_EPOCHS="ten")
    assert (done.returncode, done.stderr) == (
        78,
        "error: FOCALCLI_FIT_EPOCHS: 'ten' is not a whole number >= 1\n",
    )
    assert shell("fit", FOCALCLI_SEED="9", FOCALCLI_FAIL_NONSENSE="1").stdout.endswith(". 9 None\n")


def test_help_needs_no_sound_settings(shell, tmp_path: Path) -> None:
    toml(tmp_path, "nonsense")
    assert shell("fit", "--help").returncode == 0
    assert shell("--help").returncode == 0
