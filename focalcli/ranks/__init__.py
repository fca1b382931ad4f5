"""Several processes that work as one: who they are, and how they are started."""
