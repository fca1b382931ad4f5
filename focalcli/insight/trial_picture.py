"""The trials of a search in one picture: AP of every setting with its 95 % interval, best on top."""

from collections.abc import Sequence
from pathlib import Path

from focalcli.insight.pictures import COLOURS, figure, save
from focalcli.insight.search import named
from focalcli.insight.tune import Trial


def draw_trials(trials: Sequence[Trial], path: Path) -> None:
    """Draw trials, best first; those that are surely worse than the first are grey. Write a PNG."""
    drawn, (axis,) = figure(1, width=7.0, height=1.2 + 0.32 * len(trials))
    best = trials[0]
    for place, trial in enumerate(trials):
        colour = COLOURS[0] if trial.behind(best).low <= 0 else "#999999"
        low, high = trial.interval
        axis.plot([low, high], [place, place], color=colour, linewidth=2)
        axis.plot(trial.ap, place, "o", color=colour)
    axis.set_yticks(range(len(trials)), [_words(trial) for trial in trials])
    axis.set(ylim=(len(trials) - 0.5, -0.5), xlabel="AP with its 95 % interval; grey: surely below the best")
    save(drawn, path)


def _words(trial: Trial) -> str:
    constants = named(trial.loss)
    kind = constants.pop("loss")
    return ", ".join([kind, *(f"{name.removeprefix('ohem_')} {value}" for name, value in constants.items())])
