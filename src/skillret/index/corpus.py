"""What retrieval sees of an index: one immutable generation that can be searched.

Nothing above a corpus holds an array over all skills. It asks for the best skills by vector and by
terms, for statistics of the whole, and for vectors, tokens, grams and records of some keys; so the
same ranking runs over a file and over a cluster. `tests/index/conformance.py` says what an
implementation must do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from skillret.arrays import Float32, cosines
from skillret.encoders import Profile
from skillret.lexical.bm25 import Terms
from skillret.types import Skill, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Corpus", "Moments", "Neighbours", "Record"]

_TINY = np.float32(1e-6)


class Neighbours(NamedTuple):
    """The skills nearest to one vector, best first: keys int64 `(m,)`, cosines float32 `(m,)`.

    Of equal cosines the smaller key is first.
    """

    keys: NDArray[np.int64]
    cosines: Float32


class Record(NamedTuple):
    """A stored skill without its body: `key` is its integer primary key, never used twice."""

    key: int
    id: str
    name: str
    description: str
    path: str | None
    aliases: tuple[str, ...]
    shadowed_by: str | None
    metadata: Mapping[str, Any]
    user_only: bool = False


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Moments:
    """Sums over the vectors of a corpus, or of a sample of it: what its cosines are like.

    The mean of a vector's cosines with all skills is its product with their mean, and the mean of
    the squares a quadratic form: no search over all skills is needed to standardize a cosine.

    Attributes:
        count: Vectors summed.
        total: Their sum, float64 `(dim,)`.
        products: Sum of their outer products, float64 `(dim, dim)`.
    """

    count: int
    total: NDArray[np.float64]
    products: NDArray[np.float64]
    _mean: Float32 = field(init=False, repr=False)
    _square: Float32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        count = max(self.count, 1)
        object.__setattr__(self, "_mean", (self.total / count).astype(np.float32))
        object.__setattr__(self, "_square", (self.products / count).astype(np.float32))

    @classmethod
    def of(cls, vectors: Float32) -> Moments:
        """The sums of vectors `(n, dim)`."""
        products = (vectors.T @ vectors).astype(np.float64)
        return cls(len(vectors), vectors.sum(axis=0, dtype=np.float64), products)

    def plus(self, other: Moments, sign: int = 1) -> Moments:
        """The sums with other vectors added, or with `sign` -1 taken away."""
        return Moments(
            self.count + sign * other.count,
            self.total + sign * other.total,
            self.products + sign * other.products,
        )

    def cosines(self, vectors: Float32) -> tuple[Float32, Float32]:
        """Mean and standard deviation of the cosines of each vector, float32 `(q,)` both."""
        means = np.vecdot(vectors, self._mean)
        squares = np.vecdot(cosines(vectors, self._square), vectors)
        deviations = np.sqrt(np.maximum(squares - means * means, 0)) + _TINY
        return means, np.asarray(deviations, dtype=np.float32)


class Corpus(Protocol):
    """One generation of a library, never changed. May be shared by threads.

    Keys are int64, ascend in the order in which skills were added, and name one text for ever.
    Every `where` is a filter on metadata (`skillret.types.Where`): what does not hold all of it is
    as good as absent. Statistics are those of the whole.

    Methods raise `StoreError` where what lies behind cannot be read.
    """

    @property
    def generation(self) -> str:
        """A name that no other content has."""
        ...

    @property
    def profile(self) -> Profile | None:
        """Of the encoder that made the vectors; None while there is none."""
        ...

    @property
    def moments(self) -> Moments:
        """What the cosines of a vector with all skills are like."""
        ...

    def __len__(self) -> int:
        """How many skills there are."""
        ...

    def keys(self) -> NDArray[np.int64]:
        """Keys of all skills, ascending, int64 `(n,)`."""
        ...

    def nearest(
        self, vectors: Float32, counts: Sequence[int], where: Where | None = None
    ) -> list[Neighbours]:
        """The skills of the largest cosines.

        Args:
            vectors: Unit vectors, float32 `(q, dim)`.
            counts: How many for each vector at most.
            where: Filter.
        """
        ...

    def terms(self, text: str, factors: Mapping[str, float] | None = None) -> Terms:
        """The terms of a text that skills hold, with their statistics.

        Args:
            text: The text.
            factors: What the scores of terms are multiplied by, 1 where nothing is said.
        """
        ...

    def best(
        self, terms: Terms, k: int, where: Where | None = None
    ) -> tuple[NDArray[np.int64], Float32]:
        """Keys and BM25 scores `(m,)` of the `k` best skills that share a term, best first."""
        ...

    def gram_weights(self, codes: NDArray[np.uint32]) -> Float32:
        """Inverse document frequency of grams `(g,)`; 0 for those of no skill or of most."""
        ...

    def held(self, codes: NDArray[np.uint32], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which skills hold which grams, bool `(m, g)`.

        Args:
            codes: Distinct grams, ascending, uint32 `(g,)`.
            keys: Of skills of this corpus, int64 `(m,)`.
        """
        ...

    def name_terms(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many terms the name of each skill has, int64 `(m,)`."""
        ...

    def vectors(self, keys: NDArray[np.int64]) -> Float32:
        """Vectors of some skills of this corpus, float32 `(m, dim)`."""
        ...

    def tokens(self, keys: Sequence[int]) -> dict[int, NDArray[np.int8]]:
        """Tokens of some skills for late interaction, int8 `(d, token_dim)`.

        Left out are skills that are gone meanwhile, and all if the profile has no `token_dim`.
        """
        ...

    def records(self, keys: Sequence[int]) -> dict[int, Record]:
        """Records of some skills; those that are gone meanwhile are left out."""
        ...

    def texts(self, keys: Sequence[int]) -> dict[int, Skill]:
        """Some skills with their bodies; those that are gone meanwhile are left out."""
        ...

    def explain(self, terms: Terms, keys: Sequence[int]) -> dict[int, dict[str, float]]:
        """What each term adds to the BM25 score of each skill; see `best`."""
        ...
