"""What all tests share: the same property examples in every run, and one thread a process where workers share cores."""

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

# Threads of several test workers on the same cores wait for each other in barriers: 22 s instead of 2 s for a training
# of four steps. Read by torch when it is imported, and inherited by the programs that tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
