"""The batches of every step, prepared ahead, from the step at which a training starts or goes on."""

from collections.abc import Generator

from focalcli.ranks.cores import cores
from focalcli.train_config import TrainConfig
from focalcli.training.frozen import FrozenBackbone
from focalcli.training.prepare import Plan
from focalcli.training.samples import Batch, BatchPlan, batches
from focalcli.training.whereabouts import Whereabouts


def deliveries(
    plan: Plan,
    batch_plan: BatchPlan,
    backbone: FrozenBackbone | None,
    whereabouts: Whereabouts | None = None,
    *,
    pin: bool,
    from_step: int,
) -> Generator[list[Batch]]:
    """Give the batches of each step from `from_step` on, prepared ahead across the ends of epochs.

    Close it to end the loader processes: they heed no signal that asks, and Python waits for them at its end.
    """
    config, source = plan.config, backbone.samples if backbone else plan.samples()
    keys = [step for epoch in range(config.epochs) for step in batch_plan.step_keys(epoch)][from_step:]
    flat = [batch for step in keys for batch in step]
    stream = batches(
        source,
        flat,
        workers=num_workers(config),
        pin=pin,
        whereabouts=whereabouts,
        timeout=config.loader_timeout,
    )
    if backbone:
        stream = backbone.batches(stream)
    while True:
        yield [next(stream) for _ in range(config.accumulate)]


def num_workers(config: TrainConfig) -> int:
    """Give the number of loader processes of a training."""
    return default_workers() if config.workers is None else config.workers


def default_workers() -> int:
    """Give the number of loader processes: a core each up to 8, and 1 where there are two cores or fewer."""
    return 1 if cores() <= 2 else min(cores(), 8)
