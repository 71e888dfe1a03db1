"""The Muon optimiser, in float32: torch's own works in bfloat16, which is ten times slower on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

WEIGHT_DECAY = 0.05


class Muon(torch.optim.Optimizer):
    """Momentum whose steps are made orthogonal (Jordan et al., 2024), in float32, as torch's own is slow on a CPU."""

    def __init__(self, weights: list[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step along the orthogonal factor of the Nesterov momentum; its RMS is that of Adam's steps."""
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                momentum = state.setdefault("momentum", torch.zeros_like(weight))
                momentum.lerp_(weight.grad, 1 - group["momentum"])
                update = orthogonal(weight.grad.lerp(momentum, group["momentum"]))
                weight.mul_(1 - WEIGHT_DECAY * group["lr"]).add_(
                    update, alpha=-0.2 * max(weight.shape) ** 0.5 * group["lr"]
                )


def orthogonal(matrix: Tensor) -> Tensor:
    """Push all singular values towards one, by five Newton-Schulz steps."""
    wide: Tensor = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(5):
        gram = wide @ wide.T
        wide = 3.4445 * wide + (-4.7750 * gram + 2.0315 * gram @ gram) @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T
