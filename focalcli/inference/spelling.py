"""Names of photos and classes as each format can carry them: file names may hold any byte but NUL."""

import re

# What XML 1.0 has no way to write (section 2.2), with the halves of surrogates that stand for bytes of no encoding.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def encodable(name: str) -> str:
    r"""Give a name that UTF-8 takes: bytes that are none become escapes.

    >>> print(encodable("\udcff.jpg"))
    \udcff.jpg
    """
    return name.encode("utf-8", "backslashreplace").decode()


def in_xml(name: str) -> str:
    r"""Give a name that XML can hold, not yet quoted.

    >>> print(in_xml("a\x1b[31m & b"))
    a\x1b[31m & b
    """
    return _NO_XML.sub(lambda match: _escape(match.group()), name)


def on_one_line(text: str) -> str:
    r"""Give a text that is one line and moves no cursor.

    >>> print(on_one_line("new\nline\x1b"))
    new\nline\x1b
    """
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(text: str) -> str:
    return text.encode("unicode_escape").decode()
