"""Options of the verbs that read data sets and photos, each worded once. Loads nothing heavy."""

from pathlib import Path
from typing import Annotated

import typer

PhotoFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of the photos, where the annotations do not say.")
]
FollowSymlinks = Annotated[bool, typer.Option("--follow-symlinks", help="Follow symbolic links out of the data set.")]
MaxPixels = Annotated[int, typer.Option(min=1, help="Refuse photos with more pixels.")]
MAX_PIXELS = 178_956_970
"""As `images.sizes`, which help does without."""

Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
