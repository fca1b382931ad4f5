"""`--lr find`: which learning rate suits, by one sweep over ever higher ones. Smith 2017, arXiv 1506.01186, 3.3.

A network that is thrown away takes real steps while the rate grows exponentially. Where it is too low nothing is
learned, where it is too high the loss rises; the suggestion is the rate at which the loss falls most steeply.

Losses are smoothed by their median: a focal loss jumps in single steps, to six times its size on BCCD, long before the
rate is too high, and a moving average takes that for the end.
"""

import csv
import io
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec

from focalcli.files import replacing, write_text
from focalcli.ranks.world import this_world
from focalcli.train_config import TrainConfig
from focalcli.training.batch_size import with_batch
from focalcli.training.deliveries import deliveries
from focalcli.training.loop import Training, begin
from focalcli.training.prepare import prepare
from focalcli.training.schedule import set_lr

_STEPS = 100
_RANGE = {"adamw": (1e-6, 1.0), "sgd": (1e-5, 10.0)}
_WINDOW = 7  # steps whose median is taken
_DIVERGED = 4.0  # times the lowest median so far
_SAY_EVERY = 20


class Sweep(NamedTuple):
    """Rates in the order they were tried, with the loss of each step; whether the loss diverged at the next."""

    rates: list[float]
    losses: list[float]
    diverged: bool

    @property
    def smoothed(self) -> list[float]:
        """Give the median of the losses around each step."""
        reach = _WINDOW // 2
        return [median(self.losses[max(i - reach, 0) : i + reach + 1]) for i in range(len(self.losses))]

    @property
    def lowest(self) -> float:
        """Give the rate at which the smoothed loss was lowest."""
        return self.rates[self.smoothed.index(min(self.smoothed))]

    @property
    def suggested(self) -> float:
        """Give the rate, up to that with the lowest loss, at which the smoothed loss fell most in a step."""
        smoothed = self.smoothed
        falls = [after - before for before, after in pairwise(smoothed[: smoothed.index(min(smoothed)) + 1])]
        return _two_digits(self.rates[falls.index(min(falls)) if falls else 0])

    def as_dict(self) -> dict[str, Any]:
        """Give what is worth knowing as plain values."""
        return {
            "lr": self.suggested,
            "rule": "steepest fall of the loss",
            "tenth_of_lowest": _two_digits(self.lowest / 10),
            "lowest": _two_digits(self.lowest),
            "steps": len(self.rates),
            "diverged": self.diverged,
        }


def find_lr(config: TrainConfig, data: Path, folder: Path, say: Callable[[str], None]) -> Sweep | None:
    """Sweep, and write lr.csv and lr.png into the folder; None on ranks that do not speak. Raises as `prepare`."""
    world = this_world(config.device)
    plan = with_batch(prepare(msgspec.structs.replace(config, lr=None, ema=0.0), data), world, say)
    epochs = math.ceil(_STEPS / plan.batches(world).steps)
    plan = replace(plan, config=msgspec.structs.replace(plan.config, epochs=epochs))
    found = sweep(begin(plan, world), say)
    if not world.speaks:
        return None
    write_text(folder / "lr.csv", _table(found))
    _draw(found, folder / "lr.png")
    return found


def sweep(training: Training, say: Callable[[str], None]) -> Sweep:
    """Take steps at ever higher rates, until the loss is four times its lowest or not finite, or all were tried."""
    plan, world = training.plan, training.world
    steps = deliveries(plan, plan.batches(world), training.backbone, pin=world.device.type == "cuda", from_step=0)
    low, high = _RANGE[plan.config.optimizer]
    found, medians = Sweep([], [], diverged=False), [math.inf]
    for step in range(_STEPS):
        rate = low * (high / low) ** (step / (_STEPS - 1))
        set_lr(training.stepper.optimizer, rate)
        loss = training.stepper.run(next(steps)).total
        now = median([*found.losses, loss][-_WINDOW:])
        if not math.isfinite(loss) or now > _DIVERGED * min(medians):
            return found._replace(diverged=True)
        found.rates.append(rate)
        found.losses.append(loss)
        medians.append(now)
        if len(found.rates) % _SAY_EVERY == 0:
            say(f"learning rate {rate:.2g}: loss {now:.3f}")
    return found


def _two_digits(rate: float) -> float:
    return float(f"{rate:.2g}")


def _table(found: Sweep) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["lr", "loss", "smoothed_loss"])
    writer.writerows(zip(found.rates, found.losses, found.smoothed, strict=True))
    return text.getvalue()


def _draw(found: Sweep, path: Path) -> None:
    """Draw the loss over the rate, with the suggestion and the rate at which the loss was lowest; jumps are cut off."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(found.rates, found.losses, color="0.7", linewidth=0.8, label="loss of a step")
    axes.plot(found.rates, found.smoothed, label="smoothed")
    axes.axvline(found.suggested, color="C2", label=f"suggestion, steepest: {found.suggested:g}")
    axes.axvline(found.lowest, color="0.4", linestyle=":", label=f"lowest: {found.lowest:.2g}")
    axes.set(xlabel="learning rate", ylabel="loss", xscale="log", ylim=(0, 1.5 * max(found.smoothed[:10])))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", edgecolor="none")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
