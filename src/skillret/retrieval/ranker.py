"""The learned ranker: which candidates a query needs, and whether it needs any.

One hidden layer over some features orders the candidates; a logistic curve turns its output into
the probability that a candidate is needed, given that the query needs a skill of the library at
all. That is judged apart, from the vectors of the query and its sentences, which tell tasks from
small talk, and from how well the best candidate fits. Some 2,900 numbers, stored in a
calibration; `skillret.calibration.fit_ranker` and `.fit_need` fit them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from skillret.arrays import Float32, Float64, product
from skillret.errors import EncoderError
from skillret.retrieval.features import FEATURES
from skillret.retrieval.term_head import TermHead

__all__ = ["Probe", "Ranker"]


# Taken from the output of a skill that excludes all of the query; see `Evidence.excluded`. No
# labelled queries would teach it: they ask for what skills are for.
_EXCLUSION = 8.0
_STRAIGHT = 1 / 16  # so little that a tanh of it is the same to a thousandth
_LARGEST = 1e6  # of a stored number, and one by the smallest scale: products stay finite
_ARRAYS = ("mean", "scale", "hidden", "hidden_bias", "output")
_NUMBERS = (
    *("slope", "intercept", "share"),
    *("need_weight", "need_slope", "need_intercept", "need_size", "need_skills"),
)


class Probe(NamedTuple):
    """Tells texts that ask for something from small talk, by a logistic curve of their vectors.

    Attributes:
        weights: `(dim,)`.
        bias: Added.
    """

    weights: Float32
    bias: float

    def asking(self, vectors: Float32) -> Float32:
        """Probability that each text asks for something, float32 `(m,)`, of vectors `(m, dim)`."""
        return _logistic(self._odds(vectors)).astype(np.float32)

    def evidence(self, vectors: Float32) -> float:
        """Log odds that a query asks for something, for the most part those of its best sentence.

        Args:
            vectors: Of the query and then of its sentences, if it has several, `(1 + p, dim)`.
        """
        odds = self._odds(vectors)
        return float(odds[0] if len(odds) == 1 else 0.25 * odds[0] + 0.75 * odds[1:].max())

    def _odds(self, vectors: Float32) -> Float64:
        return np.asarray(np.vecdot(vectors, self.weights) + self.bias, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ranker:
    """A fitted ranker.

    Attributes:
        features: Names of the `f` features it was fitted on, in their order.
        mean: Of the features, `(f,)`.
        scale: Their standard deviation, `(f,)`.
        hidden: Weights `(h, f)` of the tanh layer.
        hidden_bias: `(h,)`.
        output: Weights `(h,)`.
        slope: Turns an output into the log odds of being needed, with ...
        intercept: ... this added.
        probe: Says what asks for something.
        terms: Says how much each term counts; None where all count alike.
        need_weight: Weight of its evidence in the log odds that a skill is needed.
        need_slope: Weight of the best output there.
        need_intercept: Added there.
        need_size: Added there for each unit of the logarithm by which a library is smaller than ...
        need_skills: ... so many skills: among few skills little fits by chance.
        share: Of the best skill's probability that another one in a selection has at least.
    """

    features: tuple[str, ...]
    mean: Float32
    scale: Float32
    hidden: Float32
    hidden_bias: Float32
    output: Float32
    slope: float
    intercept: float
    probe: Probe
    terms: TermHead | None
    need_weight: float
    need_slope: float
    need_intercept: float
    need_size: float
    need_skills: float
    share: float

    def probabilities(self, outputs: Float64) -> Float64:
        """Probability that each candidate is needed if any is, `(m,)`, from their outputs."""
        return _logistic(self.slope * outputs + self.intercept)

    def need(self, outputs: Float64, evidence: float, skills: int) -> float:
        """Probability that a query needs a skill.

        Args:
            outputs: Of all candidates.
            evidence: Of the probe.
            skills: Number of skills in the library.
        """
        return float(_logistic(np.asarray(self.need_odds(outputs, evidence, skills))))

    def need_of_rest(self, need: float, best: float, rest: float) -> float:
        """Probability that a query needs a skill other than the best ones, which are no choice.

        Args:
            need: Of all skills.
            best: Largest `need` times probability of all skills.
            rest: The same of the others.
        """
        ends = np.clip(np.array([rest, best]) / need, 1e-9, 1 - 1e-9)
        fall = np.diff(np.log(ends / (1 - ends)))[0] / self.slope * self.need_slope
        sure = min(max(need, 1e-9), 1 - 1e-9)
        return float(_logistic(np.asarray(math.log(sure / (1 - sure)) - fall)))

    def need_odds(self, outputs: Float64, evidence: float, skills: int) -> float:
        """The same as log odds."""
        best = float(outputs.max(initial=-1e3))
        smaller = max(0.0, math.log(self.need_skills / max(skills, 1)))
        odds = self.need_weight * evidence + self.need_slope * best + self.need_intercept
        return odds + self.need_size * smaller

    def columns(self, names: Iterable[str]) -> list[int]:
        """Where its features stand among columns of these names.

        Raises:
            KeyError: If one is not among them.
        """
        place = {name: column for column, name in enumerate(names)}
        return [place[name] for name in self.features]

    def without(self, names: Iterable[str]) -> Ranker:
        """The ranker without some features: as if each always had its mean."""
        dropped = set(names)
        kept = [column for column, name in enumerate(self.features) if name not in dropped]
        return replace(
            self,
            features=tuple(self.features[column] for column in kept),
            mean=self.mean[kept],
            scale=self.scale[kept],
            hidden=self.hidden[:, kept],
        )

    def plus(self, name: str, weight: float, mean: float = 0.0, scale: float = 1.0) -> Ranker:
        """The ranker with a feature more, `weight` times of which is added to its output.

        Args:
            name: Of a feature that it does not have.
            weight: What one unit adds.
            mean: Taken away from its values, which are then ...
            scale: ... divided by this, to lie between -1 and 1 for the most part.
        """
        hidden = np.zeros((len(self.hidden) + 1, len(self.features) + 1), dtype=np.float32)
        hidden[:-1, :-1] = self.hidden
        hidden[-1, -1] = _STRAIGHT
        return replace(
            self,
            features=(*self.features, name),
            mean=np.append(self.mean, np.float32(mean)),
            scale=np.append(self.scale, np.float32(scale)),
            hidden=hidden,
            hidden_bias=np.append(self.hidden_bias, np.float32(0)),
            output=np.append(self.output, np.float32(weight / _STRAIGHT)),
        )

    def outputs(self, features: Float32, excluded: Float32 | float = 0.0) -> Float64:
        """What candidates are ordered by, float64 `(m,)`.

        Args:
            features: Its own, in their order, float32 `(m, f)`.
            excluded: How much of the query each candidate excludes, `(m,)`.
        """
        scaled = (features - self.mean) / self.scale
        layer = np.tanh(product(scaled, self.hidden.T) + self.hidden_bias)
        outputs = np.vecdot(layer, self.output) - _EXCLUSION * excluded
        return np.asarray(outputs, dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """As stored in a calibration."""
        arrays = {name: _rounded(getattr(self, name)) for name in _ARRAYS}
        numbers = {name: round(float(getattr(self, name)), 5) for name in _NUMBERS}
        probe = {"probe": _rounded(self.probe.weights), "probe_bias": round(self.probe.bias, 5)}
        head = self.terms
        terms = {
            "terms": head and _rounded(head.weights),
            "terms_bias": head and round(head.bias, 5),
        }
        return {"features": list(self.features), **arrays, **probe, **terms, **numbers}

    @classmethod
    def from_json(cls, data: object, where: str, dim: int) -> Ranker:
        """A stored ranker.

        Args:
            data: Parsed JSON, as `to_json` makes it.
            where: Named in errors.
            dim: Of the encoder's vectors.

        Raises:
            EncoderError: If it is malformed, or names a feature that this version does not know.
        """
        try:
            if not isinstance(data, Mapping):
                raise ValueError("no JSON object")
            names = _features(data.get("features"))
            unknown = [name for name in names if name not in FEATURES]
            if unknown:
                raise EncoderError(
                    f"the ranker in {where} was fitted on {unknown[0]!r:.60}, a feature that this"
                    " version of skillret does not know: upgrade skillret, or fit a ranker anew:"
                    " skillret calibrate DATASET --fit-ranker"
                )
            ranker = cls._read(data, names, dim)
        except KeyError as e:
            raise EncoderError(f"the ranker in {where} is malformed: {e} is missing") from None
        except (TypeError, ValueError, OverflowError) as e:
            raise EncoderError(f"the ranker in {where} is malformed: {e}") from None
        return ranker

    @classmethod
    def _read(cls, data: Mapping[str, Any], features: tuple[str, ...], dim: int) -> Ranker:
        f = len(features)
        hidden = _array(data["hidden"], (-1, f))
        h = len(hidden)
        ranker = cls(
            features=features,
            mean=_array(data["mean"], (f,)),
            scale=_array(data["scale"], (f,)),
            hidden=hidden,
            hidden_bias=_array(data["hidden_bias"], (h,)),
            output=_array(data["output"], (h,)),
            probe=Probe(_array(data["probe"], (dim,)), _number(data["probe_bias"])),
            terms=None
            if data["terms"] is None
            else TermHead(_array(data["terms"], (dim,)), _number(data["terms_bias"])),
            **{name: _number(data[name]) for name in _NUMBERS},
        )
        if not ((ranker.scale >= 1 / _LARGEST).all() and ranker.need_skills >= 1):
            raise ValueError("a scale or need_skills is too small")
        return ranker


def _logistic(x: Float64) -> Float64:
    near = np.minimum(np.maximum(x, -60), 60)  # `numpy.clip` takes three times as long
    return np.asarray(1.0 / (1.0 + np.exp(-near)), dtype=np.float64)


def _rounded(values: Float32) -> Any:
    # Five digits are enough. Written as what they are: as float64 they would have seventeen, and
    # where float32 is coarser than five digits, they would change each time they are stored.
    if values.ndim > 1:
        return [_rounded(row) for row in values]
    return [float(str(v)) for v in np.round(values.astype(np.float64), 5).astype(np.float32)]


def _features(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise ValueError("its features are no list of names")
    if len(set(names)) < len(names):
        raise ValueError("it names a feature twice")
    return tuple(names)


def _array(values: object, shape: tuple[int, ...]) -> Float32:
    if not isinstance(values, list):
        raise ValueError(f"an array of {len(shape)} dimensions is none")
    array = np.asarray(values)
    if array.dtype.kind not in "fi":  # neither texts nor truth values
        raise ValueError("an array holds what is no number")
    if array.ndim != len(shape) or any(
        a != b for a, b in zip(array.shape, shape, strict=True) if b >= 0
    ):
        raise ValueError(f"shape {array.shape}, expected {shape}")
    if not (np.abs(array) <= _LARGEST).all():
        raise ValueError("a number is not finite or too large")
    return array.astype(np.float32)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r:.40} is no number")
    if not abs(value) <= _LARGEST:
        raise ValueError("a number is not finite or too large")
    return float(value)
