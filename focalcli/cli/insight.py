"""`focalcli insight`: what anchors and focal loss do to a data set, one topic at a time."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from focalcli.cli.data_options import PhotoFolder, Seed
from focalcli.insight.options import READ_BY, TopicOptions

Topic = Literal["anchors", "loss", "curve", "tune", "audit", "lab"]


def insight(
    context: typer.Context,
    topic: Annotated[
        Topic,
        typer.Argument(
            help="anchors: do they cover the objects. loss: which examples make it up (Figure 4). curve: Figure 1. "
            "tune: gamma and alpha on frozen features. audit: errors in the labels. lab: the paper's tables, small."
        ),
    ],
    options: TopicOptions,
    data: Annotated[Path, typer.Argument(help="Data set: a folder or an annotation file.")] = Path("."),
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Model file, .safetensors. [default: newest run; anchors and audit: none]"),
    ] = None,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Look at this split only.")] = None,
    images: PhotoFolder = None,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write tables and pictures into this folder.")
    ] = None,
) -> None:
    """Show what anchors and focal loss do to your data.

    Prints one JSON object; with -o also tables (CSV, JSON lines) and pictures (PNG) into a folder. Figures and tables
    are those of Lin et al., "Focal Loss for Dense Object Detection". tune and lab train the last layer of a model anew
    for each setting; audit trains one model a fold unless --model names one, which must not have seen the photos.

    Example: focalcli insight anchors bay --fit -o insight
    """
    from focalcli.cli.insight_topics import TOPICS, Request

    _refuse_foreign(context, topic)
    request = Request(data, model, split, images, seed, output, options)
    print(_as_json(TOPICS[topic](request)))


def _as_json(result: dict[str, Any]) -> str:
    r"""Give the result as indented JSON with a list of numbers, a box or an interval, on one line.

    >>> _as_json({"box": [1, 2.5]})
    '{\n  "box": [1, 2.5]\n}'
    """
    numbers = re.compile(r"\[\n([^\[\]{}\"]+)\n *\]")  # a line break within a string would be escaped
    return numbers.sub(lambda found: f"[{' '.join(found[1].split())}]", json.dumps(result, indent=2))


def _refuse_foreign(context: typer.Context, topic: str) -> None:
    """Refuse an option that another topic reads and this one does not.

    Raises:
        UsageError: naming the option and the topics it is for.
    """
    from focalcli.errors import UsageError

    for name in TopicOptions.__struct_fields__:
        source = context.get_parameter_source(name)
        if name not in READ_BY.get(topic, ()) and source is not None and source.name == "COMMANDLINE":
            topics = " and ".join(t for t, options in READ_BY.items() if name in options)
            raise UsageError(f"--{name.replace('_', '-')}", f"does nothing for {topic}", f"it is for {topics}")
