"""AdamW in NumPy, for the few hundred weights that are fitted after an encoder is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skillret.arrays import Float32

__all__ = ["AdamW"]


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), its rate falling linearly.

    Args:
        parameters: Changed in place.
        rate: Learning rate of the first step; that of the last is a twentieth.
        decay: Weight decay, times the rate.
        steps: In all.
    """

    def __init__(
        self, parameters: Sequence[Float32], rate: float, decay: float, steps: int
    ) -> None:
        self._parameters = parameters
        self._moments = [(np.zeros_like(p), np.zeros_like(p)) for p in parameters]
        self._rate, self._decay, self._steps = rate, decay, steps
        self._step = 0

    def step(self, gradients: Sequence[Float32]) -> None:
        """Change the parameters by their gradients."""
        rate = self._rate * (1 - 0.95 * self._step / self._steps)
        self._step += 1
        for p, g, (m, v) in zip(self._parameters, gradients, self._moments, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            update = (m / (1 - 0.9**self._step)) / (np.sqrt(v / (1 - 0.999**self._step)) + 1e-8)
            p -= rate * (update + self._decay * p)
