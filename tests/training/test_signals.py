"""One signal asks a training to stop, a second Ctrl-C insists; what comes twice at once is one."""

import signal
from collections.abc import Callable

import pytest

from focalcli.training.signals import StopRequest


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock that gestures are told apart by."""

    def set_clock(seconds: float) -> None:
        monkeypatch.setattr("time.monotonic", lambda: seconds)

    set_clock(0)
    return set_clock


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_only_asks(number: int) -> None:
    with StopRequest() as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop() and stop.signal == number


def test_a_second_ctrl_c_ends_at_once(at: Callable[[float], None]) -> None:
    with StopRequest() as stop, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
        at(1)
        signal.raise_signal(signal.SIGINT)
    assert stop.signal == signal.SIGINT


def test_one_ctrl_c_that_terminal_and_launcher_both_pass_on_is_one(at: Callable[[float], None]) -> None:
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        at(0.3)
        signal.raise_signal(signal.SIGINT)
        assert stop()


def test_a_second_sigterm_does_not_break_off_the_step(at: Callable[[float], None]) -> None:
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        at(1)
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal == signal.SIGINT


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
