"""What a finished run shows to people: curves as a picture and one page that says what was done and how well."""

from typing import Any

from focalcli.files import replacing, write_text
from focalcli.training.device_memory import in_words
from focalcli.training.journal import Record, read_records
from focalcli.training.run_folder import RunFolder

_SHOWN = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR100")


def write_summary(folder: RunFolder) -> None:
    """Write summary.md and curves.png into the run's folder, from its journal and facts."""
    records = read_records(folder.journal)
    steps = [record for record in records if record["kind"] == "step"]
    evaluations = [record for record in records if record["kind"] == "evaluation"]
    if steps:
        _draw(folder, steps, evaluations)
    write_text(folder.path / "summary.md", _page(folder.read_facts(), steps, evaluations))


def _page(facts: dict[str, Any], steps: list[Record], evaluations: list[Record]) -> str:
    lines = [f"# {facts.get('status', 'unfinished')} after {facts.get('step', len(steps))} steps", ""]
    lines += [f"- data: `{facts.get('data')}`, fingerprint `{str(facts.get('data_fingerprint'))[:12]}`"]
    lines += [f"- command: `{' '.join(facts.get('command', []))}`"]
    lines += [f"- with focalcli {facts.get('focalcli')}, torch {facts.get('torch')} on {facts.get('machine')}"]
    if steps:
        rate = sorted(record["images_per_second"] for record in steps)[len(steps) // 2]
        waiting = sorted(record["waiting"] for record in steps)[len(steps) // 2]
        lines += [f"- {rate:.1f} images/s (median), {waiting:.0%} of the time spent waiting for data"]
    if "peak_memory" in facts:
        peak, expected = (in_words(facts[name]) for name in ("peak_memory", "estimated_memory"))
        lines += [f"- {peak} of memory at most; about {expected} were expected"]
    if evaluations:
        best = max(evaluations, key=lambda record: record["AP"] or 0.0)
        lines += ["", f"Best validation AP {_number(best['AP'])} in epoch {best['epoch']}.", ""]
        lines += ["| epoch | " + " | ".join(_SHOWN) + " |", "|---" * (len(_SHOWN) + 1) + "|"]
        lines += [
            f"| {record['epoch']} | " + " | ".join(_number(record.get(name)) for name in _SHOWN) + " |"
            for record in evaluations
        ]
    if steps:
        lines += ["", "![losses and accuracy](curves.png)"]
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _draw(folder: RunFolder, steps: list[Record], evaluations: list[Record]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    x = [record["step"] for record in steps]
    for name, label in (("classification_loss", "classification"), ("box_loss", "boxes")):
        left.plot(x, _smooth([record[name] for record in steps]), label=label)
    left.set(xlabel="step", ylabel="loss", yscale="log", title="Loss")
    left.legend(frameon=False)
    for name in ("AP", "AP50", "AP75"):
        known = [(record["epoch"], record[name]) for record in evaluations if record.get(name) is not None]
        right.plot([epoch for epoch, _ in known], [value for _, value in known], marker="o", markersize=3, label=name)
    right.set(xlabel="epoch", ylim=(0, 1), title="Validation")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    with replacing(folder.path / "curves.png") as temporary:
        figure.savefig(temporary, dpi=120, format="png")


def _smooth(values: list[float]) -> list[float]:
    """Average over the last 2 % of the steps, so that a trend can be seen."""
    window = max(len(values) // 50, 1)
    return [sum(values[max(i - window + 1, 0) : i + 1]) / min(i + 1, window) for i in range(len(values))]
