"""Options from a msgspec struct: one field, one flag, with its limits, help and default from the field.

A verb takes the struct as a parameter, `def train(config: TrainConfig, ...)`, and `expand` gives Typer a function with
one option per field in its place. `Literal` becomes choices, `bool` becomes `--x/--no-x`, a tuple becomes a list
with commas, and what may be None takes the word `none`. The help is the field's `Meta(description=...)` and the
section `Meta(extra={"group": ...})`; text that names a file has a `"metavar"` there: FILE, DIR or PATH.
"""

import inspect
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import typer

Verb = Callable[..., None]

_NAMES: dict[type, tuple[str, str, str]] = {  # how errors, settings and metavars call a type
    int: ("a whole number", "int", "INT"),
    float: ("a number", "float", "NUMBER"),
    str: ("text", "str", "TEXT"),
    bool: ("true or false", "boolean", "BOOL"),
}
_PATHS = {"FILE": "file", "DIR": "directory", "PATH": "path"}
_LIMITS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def _batch(value: Any) -> int | None:
    """Read a number of photos; None for `auto`, as many as suit the machine."""
    if value is None or value == "auto":
        return None
    if isinstance(value, bool) or not (str(value).isdecimal() and int(value)):
        raise typer.BadParameter(f"{value!r} is neither auto nor a whole number >= 1.")
    return int(value)


_batch.__name__ = "batch"
_batch.__dict__["annotation"] = int | Literal["auto"]  # for the JSON Schema

BATCH: Any = typer.Option(parser=_batch, metavar="INT|auto", help="Photos at once.")


class Kind(NamedTuple):
    """A field's type taken apart: the bare type, the words that may stand for it, whether None may, and its `Meta`s."""

    base: Any
    words: tuple[str, ...]
    optional: bool
    metas: tuple[Any, ...]

    @property
    def others(self) -> tuple[str, ...]:
        """Give what may stand in the place of a value: its words, and `none`."""
        return (*self.words, *["none"] * self.optional)


def expand(verb: Verb) -> Verb:
    """Give the verb with each struct parameter replaced by one keyword per field of the struct."""
    parameters = inspect.signature(verb, eval_str=True).parameters.values()
    structs = {p.name: p.annotation for p in parameters if hasattr(p.annotation, "__struct_fields__")}
    if not structs:
        return verb

    def flat(**values: Any) -> None:
        verb(**{name: _build(struct, values, verb.__name__) for name, struct in structs.items()}, **values)

    options = [option for struct in structs.values() for option in from_struct(struct)]
    kept = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters if p.name not in structs]
    flat.__name__, flat.__doc__, flat.__module__ = verb.__name__, verb.__doc__, verb.__module__
    flat.__dict__["__signature__"] = inspect.Signature([*kept, *options])
    return flat


def from_struct(struct: type) -> list[inspect.Parameter]:
    """Give one keyword parameter, annotated with its Typer option, for each field of a struct."""
    import msgspec

    types = get_type_hints(struct, include_extras=True)
    fields = msgspec.structs.fields(struct)
    return [_parameter(field.name, types[field.name], field.default) for field in fields]


def _build(struct: type, values: dict[str, Any], place: str) -> Any:
    """Take the fields of the struct out of `values` and make it, checked."""
    from focalcli.config import checked

    names: tuple[str, ...] = struct.__struct_fields__  # type: ignore[attr-defined]
    return checked(struct, {name: values.pop(name) for name in names}, place)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = take_apart(annotation)
    flag = "--" + name.replace("_", "-")
    help_text = next((meta.description for meta in kind.metas if meta.description), None)
    plain = not kind.others and (kind.base is bool or get_origin(kind.base) is Literal)
    option: Any = typer.Option(
        f"{flag}/--no-{name.replace('_', '-')}" if kind.base is bool else flag,
        help=help_text,
        rich_help_panel=_extra(kind, "group"),
        parser=None if plain else _parser(annotation, kind),
        metavar=None if plain else _extra(kind, "metavar") or _metavar(kind),
    )
    typed = kind.base if plain else Any
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[typed, option])


def take_apart(annotation: Any) -> Kind:
    """Give the parts of a field's type: `Annotated[int, Meta(ge=1)] | Literal["auto"] | None` is an optional int with
    one word and one Meta.
    """
    base, words, optional, metas = annotation, (), False, ()
    while get_origin(base) in (Annotated, Union, UnionType):
        if get_origin(base) is Annotated:
            base, *more = get_args(base)
            metas = (*metas, *more)
        else:
            optional |= NoneType in get_args(base)
            *literals, base = sorted((p for p in get_args(base) if p is not NoneType), key=_is_no_literal)
            words = (*words, *(word for literal in literals for word in get_args(literal)))
    return Kind(base, words, optional, metas)


def _is_no_literal(annotation: Any) -> bool:
    return get_origin(annotation) is not Literal


def describe(kind: Kind) -> str:
    """Say in words what a value must be: `a whole number >= 1, or none`."""
    if get_origin(kind.base) is Literal:
        words = "one of " + ", ".join(get_args(kind.base))
    elif get_origin(kind.base) is tuple:
        words = "a list with commas, each " + describe(take_apart(get_args(kind.base)[0]))
    else:
        words = _NAMES[kind.base][0]
    limits = [f"{sign} {value:g}" for key, sign in _LIMITS.items() for value in _limit(kind, key)]
    *more, last = kind.others or ("",)
    others = "".join(f", {word}" for word in more) + (f", or {last}" if last else "")
    return " ".join([words, " and ".join(limits)]).strip() + others


def _extra(kind: Kind, name: str) -> str | None:
    return next((meta.extra[name] for meta in kind.metas if meta.extra and name in meta.extra), None)


def _limit(kind: Kind, name: str) -> list[float]:
    return [value for meta in kind.metas if (value := getattr(meta, name)) is not None]


def _metavar(kind: Kind) -> str:
    if get_origin(kind.base) is Literal:
        return "|".join([*get_args(kind.base), *["none"] * kind.optional])
    if get_origin(kind.base) is tuple:
        return _metavar(take_apart(get_args(kind.base)[0])) + ",..."
    return "|".join([_NAMES[kind.base][2], *kind.words])


def _parser(annotation: Any, kind: Kind) -> Callable[[Any], Any]:
    """Give the function that turns a flag's word, or a value of the configuration file, into the field's value."""
    import msgspec

    def parse(value: Any) -> Any:
        text = isinstance(value, str)
        if text and kind.optional and value.lower() == "none":
            return None
        parts = [part.strip() for part in value.split(",")] if text and get_origin(kind.base) is tuple else value
        try:
            return msgspec.convert(parts, annotation, strict=not text)
        except msgspec.ValidationError as error:
            raise typer.BadParameter(f"{value!r} is not {describe(kind)}.") from error

    name = {Literal: "choice", tuple: "list"}.get(get_origin(kind.base)) or _NAMES[kind.base][1]
    name = _PATHS.get(_extra(kind, "metavar") or "", name)
    parse.__name__ = " or ".join([name, *kind.others])
    parse.__dict__["annotation"] = annotation  # for the JSON Schema
    parse.__dict__["limits"] = {key: value for key in _LIMITS for value in _limit(kind, key)}  # for the help
    parse.__dict__["choices"] = get_args(kind.base) if name == "choice" else kind.words  # for Tab
    return parse
