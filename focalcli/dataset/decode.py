"""Bytes of untrusted files to text, JSON, XML and YAML, without what those languages allow beyond data."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from xml.etree.ElementTree import Element, ParseError

import msgspec

from focalcli.errors import DataError

T = TypeVar("T")

YAML_DEPTH = 32
"""PyYAML's time grows with the square of the depth."""


def decode_text(content: bytes, place: str) -> str:
    """Decode UTF-8 (a byte order mark is dropped), or UTF-16 with a mark.

    Raises:
        DataError: neither, or it holds NUL characters.
    """
    encoding, name = ("utf-16", "UTF-16") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "UTF-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(place, f"is not {name} text (byte {error.start})", "save it as UTF-8") from error
    if "\0" in text:
        raise DataError(place, "holds NUL characters", "save it as UTF-8 text")
    return text


def decode_json(content: bytes, kind: type[T], place: str) -> T:
    """Decode JSON into a msgspec type.

    Raises:
        DataError: not JSON, not of that shape, or nested too deeply.
    """
    if content[:3] == b"\xef\xbb\xbf":
        content = content[3:]
    elif content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = decode_text(content, place).encode()
    try:
        with collector_off():
            return msgspec.json.decode(content, type=kind, strict=True)
    except RecursionError as error:
        raise DataError(place, "is nested too deeply", "check where the file comes from") from error
    except msgspec.ValidationError as error:
        raise DataError(place, f"has not the shape of its format ({error})", "repair it") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(place, f"is not JSON ({error})", "repair it; mind that NaN is not JSON") from error


def decode_xml(content: bytes, place: str) -> Element:
    """Parse XML.

    Raises:
        DataError: not well-formed, of an unknown encoding, or with a document type or entities.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        raise DataError(place, "has a document type or entities, which are refused", "remove the DOCTYPE") from error
    except (ParseError, ValueError, LookupError) as error:
        raise DataError(place, f"is not well-formed XML ({error})", "repair it") from error
    except RecursionError as error:
        raise DataError(place, "is nested too deeply", "check where the file comes from") from error
    return root


def decode_yaml(text: str, place: str) -> Any:
    """Parse YAML with every scalar as text (`no` and `007` stay what they are).

    Raises:
        DataError: not YAML, or with tags, anchors or aliases.
    """
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    depth = 0
    try:
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > YAML_DEPTH:
                raise DataError(place, "is nested too deeply", "check where the file comes from")
            if getattr(event, "anchor", None) or (getattr(event, "tag", None) or "!") != "!":
                at = f"{place}: line {event.start_mark.line + 1}" if event.start_mark else place
                raise DataError(at, "YAML anchors, aliases and tags are refused", "write it out")
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f"{place}: line {mark.line + 1}" if mark else place
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise DataError(at, f"is not YAML ({problem})", "repair it") from error
    except RecursionError as error:
        raise DataError(place, "is nested too deeply", "check where the file comes from") from error


@contextmanager
def collector_off() -> Iterator[None]:
    """Keep the garbage collector from walking a million new objects again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
