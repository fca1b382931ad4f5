"""The average of the weights over the steps, which is evaluated and kept in their place."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


class Average(AveragedModel):
    """A copy of a model whose weights follow it as an exponential moving average, faster at the start.

    Weights that are not trained stay where they are, so a frozen backbone costs nothing here.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model)
        self.decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Follow the model by one step: a copy first, then a share of the way."""
        pairs = zip(self.module.parameters(), model.parameters(), strict=True)
        averages, weights = zip(*[pair for pair in pairs if pair[1].requires_grad], strict=True)
        step = int(self.n_averaged)
        share = 1 - min(self.decay, (1 + step) / (10 + step)) if step else 1.0
        torch._foreach_lerp_(averages, weights, share)
        self.n_averaged += 1
