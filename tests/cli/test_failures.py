"""Every way of failing has a name, an exit code and, where there is one, a remedy."""

import errno
import sys
from types import SimpleNamespace

import pytest

from focalcli import errors
from focalcli.cli import failures
from focalcli.cli.failures import EXIT_CODES, explain


def kinds() -> set[type[errors.FocalError]]:
    found = {errors.FocalError}
    while more := {sub for kind in found for sub in kind.__subclasses__()} - found:
        found |= more
    return {kind for kind in found if kind.__module__.startswith("focalcli.")}


def test_every_exit_code_is_in_the_table_and_no_other() -> None:
    assert {kind.exit_code for kind in kinds()} | {0} == set(EXIT_CODES)


def test_every_kind_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in kinds()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (OSError(errno.EDQUOT, "Disk quota exceeded", "a"), 74, "a: disk quota exceeded, free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), 73, "a: permission denied, change its permissions"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "a/b"), 66, "a/b: not a directory"),
        (OSError(errno.EMFILE, "Too many open files", "a"), 74, "a: too many open files, raise the limit with ulimit"),
        (OSError(errno.EIO, "Input/output error", b"a\xff"), 74, "a\udcff: input/output error"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 65, "input: is not UTF-8 text"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), 69, "memory: out of"),
        (RuntimeError("could not create a primitive"), 69, "memory: out of memory (could not create a primitive)"),
        (RuntimeError("could not create a primitive descriptor"), 70, "internal error: RuntimeError"),
        (ModuleNotFoundError("No module named 'focalcli.x'", name="focalcli.x"), 70, "internal error: Module"),
        (RecursionError("too deep"), 70, "internal error: RecursionError: too deep, run it again with --debug"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_of_system_and_libraries_are_put_in_our_words(error: BaseException, code: int, text: str) -> None:
    failure = explain(error)
    assert failure.exit_code == code
    assert str(failure).startswith(text)


def test_torchs_out_of_memory_gives_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    class OutOfMemoryError(RuntimeError):
        pass

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(OutOfMemoryError=OutOfMemoryError))
    failure = explain(OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB\nmore"))
    assert failure.exit_code == 69
    assert str(failure) == (
        "memory: out of memory (CUDA out of memory. Tried to allocate 20 GiB), use a smaller --batch "
        "or a smaller --min-size"
    )


def test_a_broken_pipe_that_is_not_our_output_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "stdout_is_broken", lambda: False)
    assert explain(BrokenPipeError(errno.EPIPE, "Broken pipe")).exit_code == 74
