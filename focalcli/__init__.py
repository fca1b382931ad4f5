"""From annotated photos to a verified object detector: RetinaNet with focal loss, in the shell.

Importing this package loads nothing heavy: the command line lives in `focalcli.cli`, the library beside it.
"""

__version__ = "0.1.0"
