"""One option, one name, one meaning, one default, whichever verb takes it. Walks the whole command line."""

from collections import defaultdict
from typing import Any, NamedTuple

import pytest

from focalcli.cli import common, pages, settings
from focalcli.cli.app import VERBS, command


class Use(NamedTuple):
    """How a verb takes an option or argument."""

    verb: str
    flags: tuple[str, ...]
    kind: str
    default: Any


PATHS = ("path", "file", "directory")

# Where an issue or the nature of a verb asks for another meaning, and why.
EXCEPTIONS = {
    ("train", "batch"): "part of the recipe: it changes what is learned, elsewhere only the speed",
    ("train", "tile"): "issue 4: one size, for which the model is trained; elsewhere auto and off too",
    ("export", "data"): "measured only when named: it takes its time",
    ("convert", "images"): "photos may be copied, linked or left; a folder may be named too",
    ("export", "output"): "issue 7: which outputs the graph has; the file is --file",
    ("merge", "images"): "photos may be copied, linked or left",
    ("split", "images"): "photos may be copied, linked or left",
    ("split", "to"): "as for merge: a split set need not be written as it was read",
    ("merge", "to"): "the sources' formats may differ, so it has one of its own; convert has no sensible one",
    ("convert", "classes"): "issue 3: what becomes of the classes, not a list of them",
    ("insight", "epochs"): "the audit trains many small models; their length is its own",
    ("export", "size"): "issue 7: height and width of the input; the demo has one side",
    ("detect", "classes"): "issue 7: names to keep; to convert it is a policy or a file of new names",
    ("detect", "iou"): "issue 7: the overlap of NMS; to evaluate it is the list of overlaps to measure at",
    ("detect", "max_dets"): "issue 7: one number a photo; to evaluate it is the list of numbers to measure at",
    ("compare", "resamples"): "a difference without its interval says nothing; evaluate gives one when asked",
    ("config", "output"): "init writes focalcli.toml unless told otherwise",
}


# What a verb writes is its own, and so is the file or folder for it.
OWN_VALUES = ("output", "format")


def uses() -> dict[str, list[Use]]:
    found: dict[str, list[Use]] = defaultdict(list)
    for verb in VERBS:
        for parameter in command(verb).params:
            kind = parameter.type.name.split()[0]
            key = settings.key_of(parameter)
            if (verb, key) not in EXCEPTIONS:
                flags = (*sorted(parameter.opts), *parameter.secondary_opts)
                found[key].append(Use(verb, flags, kind, parameter.default))
    return found


def test_an_option_has_the_same_flags_in_every_verb() -> None:
    for key, found in uses().items():
        options = {use.flags for use in found if use.flags[0].startswith("-")}
        assert len(options) <= 1, f"{key}: {found}"


def test_an_option_has_the_same_kind_of_value_in_every_verb() -> None:
    for key, found in uses().items():
        kinds = {"path" if use.kind in PATHS else use.kind for use in found}
        assert len(kinds) == 1, f"{key}: {found}"


def test_an_option_has_the_same_default_in_every_verb() -> None:
    for key, found in uses().items():
        options = {repr(use.default) for use in found if use.flags[0].startswith("-")}
        assert len(options) <= 1, f"{key}: {found}"


def test_an_option_is_shown_with_the_same_value_in_every_verb() -> None:
    shown: dict[str, set[str]] = defaultdict(set)
    for verb in VERBS:
        for parameter in command(verb).params:
            key = settings.key_of(parameter)
            if (verb, key) not in EXCEPTIONS and key not in OWN_VALUES and parameter.param_type_name == "option":
                shown[key].add(pages.shown_as(parameter))
    assert not {key: names for key, names in shown.items() if len(names) > 1}


def test_a_short_option_means_one_thing() -> None:
    meanings = defaultdict(set)
    for names, _, _ in common.HELP:
        meanings[names[0]].add(names[-1])
    for verb in VERBS:
        for parameter in command(verb).params:
            for flag in parameter.opts:
                if len(flag) == 2 and flag.startswith("-"):
                    meanings[flag].add(settings.key_of(parameter))
    known = {"-o": {"output", "file"}}  # export's outputs are the graph's; its file is --file
    for flag, keys in meanings.items():
        assert len(keys) == 1 or keys == known.get(flag), f"{flag}: {keys}"


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_takes_a_common_option_for_itself(verb: str) -> None:
    taken = {name for names, _, _ in common.HELP for name in names}
    for parameter in command(verb).params:
        assert not taken & {*parameter.opts, *parameter.secondary_opts}


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_can_be_set_from_a_file(verb: str) -> None:
    """Its kind is one the settings know, so a wrong type in focalcli.toml is named and not guessed at."""
    for parameter in command(verb).params:
        assert parameter.type.name.split()[0] in settings._TOML, f"{verb} {parameter.opts}: {parameter.type.name}"


@pytest.mark.parametrize("verb", VERBS)
def test_options_are_words_with_dashes(verb: str) -> None:
    for parameter in command(verb).params:
        if parameter.param_type_name == "option":
            for flag in (*parameter.opts, *parameter.secondary_opts):
                assert flag == flag.lower() and "_" not in flag, f"{verb}: {flag}"
            if parameter.is_flag:
                positive = settings.key_of(parameter).replace("_", "-")
                assert parameter.secondary_opts in ([], [f"--no-{positive}"]), f"{verb}: {parameter.opts}"


def test_shared_settings_are_options_of_some_verb() -> None:
    keys = {settings.key_of(parameter) for verb in VERBS for parameter in command(verb).params}
    assert set(settings.SHARED) <= keys


def test_a_shared_setting_spares_the_verbs_where_the_key_means_something_else() -> None:
    assert set(settings.NOT_SHARED) <= set(EXCEPTIONS)


def test_exceptions_are_still_needed() -> None:
    for verb, key in EXCEPTIONS:
        assert key in {settings.key_of(parameter) for parameter in command(verb).params}, (verb, key)


def test_the_limit_of_pixels_is_that_of_the_images() -> None:
    """The verbs name it without loading what reads photos."""
    from focalcli.cli import data_options
    from focalcli.images import sizes

    assert data_options.MAX_PIXELS == sizes.MAX_PIXELS
