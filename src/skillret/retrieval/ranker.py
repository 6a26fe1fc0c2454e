"""The learned ranker: from a candidate's features to the probability that it is needed.

One hidden layer over a dozen features, a few hundred numbers in the encoder's profile. Fitted by
`skillret calibrate` (`skillret.training.rank`), which describes how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skillret.encoders import Float32
from skillret.errors import EncoderError
from skillret.retrieval.features import FEATURES

__all__ = ["Ranker"]


@dataclass(frozen=True, slots=True)
class Ranker:
    """A fitted ranker.

    Attributes:
        mean: Of the features, `(f,)`.
        scale: Their standard deviation, `(f,)`.
        hidden: Weights `(h, f)` of the tanh layer.
        hidden_bias: `(h,)`.
        output: Weights `(h,)`.
        slope: Turns the output into log odds ...
        intercept: ... of being needed.
        include: Smallest probability of a skill in a selection.
    """

    mean: Float32
    scale: Float32
    hidden: Float32
    hidden_bias: Float32
    output: Float32
    slope: float
    intercept: float
    include: float

    def probabilities(self, features: Float32) -> Float32:
        """Probability that each candidate is needed, `(m,)`, from features `(m, f)`."""
        logits = self.slope * self.outputs(features) + self.intercept
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -60, 60))), dtype=np.float64)

    def outputs(self, features: Float32) -> Float32:
        """What candidates are ordered by, `(m,)`."""
        layer = np.tanh((features - self.mean) / self.scale @ self.hidden.T + self.hidden_bias)
        return np.asarray(layer @ self.output, dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """As stored in a profile."""
        arrays = ("mean", "scale", "hidden", "hidden_bias", "output")
        numbers = {name: np.round(getattr(self, name), 5).tolist() for name in arrays}
        single = {name: round(getattr(self, name), 5) for name in ("slope", "intercept", "include")}
        return {"features": list(FEATURES), **numbers, **single}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> Ranker | None:
        """A stored ranker; None if it was fitted for other features than these.

        Raises:
            EncoderError: If it is malformed.
        """
        if data.get("features") != list(FEATURES):
            return None
        try:
            f = len(FEATURES)
            hidden = _array(data["hidden"], (-1, f))
            h = len(hidden)
            return cls(
                mean=_array(data["mean"], (f,)),
                scale=_array(data["scale"], (f,)),
                hidden=hidden,
                hidden_bias=_array(data["hidden_bias"], (h,)),
                output=_array(data["output"], (h,)),
                slope=float(data["slope"]),
                intercept=float(data["intercept"]),
                include=float(data["include"]),
            )
        except (KeyError, TypeError, ValueError) as e:
            raise EncoderError(f"the ranker in {where} is malformed: {e}") from None


def _array(values: Sequence[Any], shape: tuple[int, ...]) -> Float32:
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != len(shape) or any(
        a != b for a, b in zip(array.shape, shape, strict=True) if b >= 0
    ):
        raise ValueError(f"shape {array.shape}, expected {shape}")
    if not np.isfinite(array).all():
        raise ValueError("a number is not finite")
    return array
