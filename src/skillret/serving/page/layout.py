"""Where each skill stands on the map: near ones alike, the same for the same vectors.

A t-SNE (van der Maaten and Hinton, 2008) on the graph of nearest neighbours, in NumPy alone.
Repulsion is read off a mesh by a fast Fourier transform, as in FIt-SNE (Linderman et al., 2019):
what repels a point is the gradient of one potential, so that a step costs two transforms however
many points there are. It begins with the principal components (Kobak and Berens, 2019), which
makes it repeatable, and keeps some exaggeration to the end (Boehm et al., 2022), which draws
groups together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skillret.arrays import Float32, product

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["lay_out", "nearest", "place_among"]

_NEIGHBOURS = 12
_COMPONENTS = 48  # kept for finding neighbours; more change the map little
_BLOCK = 256  # rows of similarities at once
_MOST = 30_000  # points that are laid out; more are placed among these
_EARLY, _LATE = 150, 250  # steps
_EXAGGERATION = (12.0, 2.5)  # of attraction, early and late
_CELL = 0.7  # of the mesh; the potential's own width is 1
_MESH = (48, 400)  # fewest and most cells along a side
_MARGIN = 2  # cells around the points
_EVERY = 10  # steps with one mesh


def lay_out(vectors: Float32) -> Float32:
    """Positions of unit vectors `(n, dim)`, float32 `(n, 2)`, the longer side from -1 to 1."""
    n = len(vectors)
    if n < 3:
        return np.column_stack([np.linspace(-0.5, 0.5, n), np.zeros(n)]).astype(np.float32)
    if n > _MOST:
        some = np.linspace(0, n - 1, _MOST).astype(np.int64)
        out = np.empty((n, 2), dtype=np.float32)
        out[some] = lay_out(vectors[some])
        rest = np.setdiff1d(np.arange(n), some)
        out[rest] = place_among(vectors[rest], vectors[some], out[some])
        return out
    reduced = _components(vectors, min(_COMPONENTS, n - 1, vectors.shape[1]))
    count = min(_NEIGHBOURS, max(2, (n - 1) // 3))
    near = nearest(reduced, reduced, count + 1)
    rows = np.arange(n)[:, None]
    others = np.argsort(near == rows, axis=1, kind="stable")[:, :count]  # without itself
    start = reduced[:, :2] * (1e-2 / max(float(reduced[:, 0].std()), 1e-9))
    return _squared_up(_embedded(start, np.take_along_axis(near, others, axis=1)))


def place_among(vectors: Float32, known: Float32, positions: Float32) -> Float32:
    """Positions of further vectors `(m, dim)`: beside the most similar of those that are known.

    Args:
        vectors: Unit vectors.
        known: Others `(n, dim)`, at least one.
        positions: Of these `(n, 2)`.
    """
    if not len(vectors):
        return np.empty((0, 2), dtype=np.float32)
    near = nearest(vectors, known, min(3, len(known)))
    cosines = np.vecdot(known[near], vectors[:, None, :])
    weights = np.maximum(cosines, 0) ** 4 + 1e-6
    mean = (positions[near] * weights[..., None]).sum(1) / weights.sum(1)[:, None]
    # A spiral around the place keeps those apart that have the same neighbours.
    turns = np.arange(len(vectors)) * 2.399963
    reach = 0.004 * np.sqrt(1 + np.arange(len(vectors)) % 16)
    offset = np.column_stack([np.cos(turns), np.sin(turns)]) * reach[:, None]
    return np.asarray(mean + offset, dtype=np.float32)


def nearest(asked: Float32, vectors: Float32, count: int) -> NDArray[np.int64]:
    """The rows of `vectors` `(n, dim)` most similar to each of those asked for, `(q, count)`."""
    found = np.empty((len(asked), count), dtype=np.int64)
    turned = np.ascontiguousarray(vectors.T)
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        similar = np.empty((len(block), len(vectors)), dtype=np.float32)
        for left in range(0, len(vectors), 1024):
            similar[:, left : left + 1024] = product(block, turned[:, left : left + 1024])
        found[start : start + _BLOCK] = np.argpartition(-similar, count - 1, axis=1)[:, :count]
    return found


def _components(vectors: Float32, count: int) -> Float32:
    """The first principal components, scaled to unit length as a row, `(n, count)`."""
    centred = vectors - vectors.mean(axis=0)
    values, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    axes = axes[:, ::-1][:, :count]
    # A component may point either way: the way is chosen, so that it does not hang on a library.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    reduced = product(centred, np.ascontiguousarray(axes, dtype=np.float32))
    return reduced / np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), 1e-9)


def _embedded(start: Float32, near: NDArray[np.int64]) -> Float32:
    """Gradient descent, with momentum and a gain for each coordinate (Jacobs, 1988)."""
    n, count = near.shape
    at = start.astype(np.float32)
    speed, gain = np.zeros_like(at), np.ones_like(at)
    rate, target = max(n / 12, 20.0), near.ravel()
    mesh: _Mesh | None = None
    for step in range(_EARLY + _LATE):
        early = step < _EARLY
        if mesh is None or step % _EVERY == 0 or not mesh.covers(at):
            mesh = _Mesh(at)
        pull = _attraction(at, near, target) * (_EXAGGERATION[not early] / (n * count))
        push, total = mesh.repulsion(at)
        slope = 4 * pull - 4 * push / total
        same = (slope > 0) == (speed > 0)
        gain = np.maximum(np.where(same, gain * 0.8, gain + 0.2), 0.01)
        speed = (0.5 if early else 0.8) * speed - rate * gain * slope
        length = np.abs(speed).max()
        at = at + speed * min(1.0, 5.0 / max(float(length), 1e-9))  # no step leaps
        at -= at.mean(axis=0)
    return at


def _attraction(at: Float32, near: NDArray[np.int64], target: NDArray[np.int64]) -> Float32:
    """What draws each point to its neighbours and to those whose neighbour it is, `(n, 2)`."""
    n = len(at)
    out = np.empty_like(at)
    apart = at[:, None, :] - at[near]
    apart /= 1 + np.vecdot(apart, apart)[..., None]
    for axis in (0, 1):
        part = apart[..., axis]
        back = np.bincount(target, weights=part.ravel(), minlength=n)
        out[:, axis] = (part.sum(axis=1) - back) / 2
    return out


class _Mesh:
    """A square mesh over points, on which they repel each other."""

    def __init__(self, at: Float32) -> None:
        self.low = at.min(axis=0)
        side = float((at.max(axis=0) - self.low).max())
        self.cells = int(np.clip(side / _CELL, *_MESH))
        self.cell = max(side * 1.1, 1e-6) / self.cells  # room for a few steps
        self.low = self.low - (_MARGIN + 0.05 * self.cells) * self.cell
        self.nodes = self.cells + 2 * _MARGIN + 2
        self.size = _smooth(2 * self.nodes)
        steps = np.arange(self.size)
        apart = np.minimum(steps, self.size - steps).astype(np.float32) * np.float32(self.cell)
        square = apart * apart
        kernel = 1 / (1 + square[:, None] + square[None, :])
        self.kernel = np.fft.rfft2(kernel)

    def covers(self, at: Float32) -> bool:
        """Whether all points lie on it."""
        place = (at - self.low) / self.cell
        return bool(place.min() >= 1 and place.max() < self.nodes - 2)

    def repulsion(self, at: Float32) -> tuple[Float32, float]:
        """Of each point the sum of (y - y') / (1 + |y - y'|^2)^2 over all, and the normalization.

        It is half the negative gradient of the sum of 1 / (1 + |y - y'|^2).
        """
        place = (at - self.low) / np.float32(self.cell)
        whole = place.astype(np.int64)
        part = (place - whole).astype(np.float32)
        x, y = part[:, 0], part[:, 1]
        first = whole[:, 0] * self.nodes + whole[:, 1]
        corners = (first, first + 1, first + self.nodes, first + self.nodes + 1)
        shares = ((1 - x) * (1 - y), (1 - x) * y, x * (1 - y), x * y)
        mass = sum(
            np.bincount(corner, weights=share, minlength=self.nodes**2)
            for corner, share in zip(corners, shares, strict=True)
        )
        mass = np.asarray(mass, dtype=np.float32).reshape(self.nodes, self.nodes)
        spread = np.fft.rfft2(mass, s=(self.size, self.size)) * self.kernel
        field = np.fft.irfft2(spread, s=(self.size, self.size))[: self.nodes, : self.nodes]
        values = field.astype(np.float32)
        slopes = np.gradient(values, np.float32(self.cell))
        flat = values.ravel()
        potential = sum(flat[c] * s for c, s in zip(corners, shares, strict=True))
        push = np.empty_like(at)
        for axis in (0, 1):
            flat = slopes[axis].ravel()
            push[:, axis] = sum(flat[c] * s for c, s in zip(corners, shares, strict=True)) * -0.5
        return push, max(float(np.sum(potential)) - len(at), 1e-9)


def _smooth(least: int) -> int:
    """The next size that a Fourier transform is fast at."""
    return min(
        size
        for size in (2**a * 3**b * 5**c for a in range(13) for b in range(4) for c in range(3))
        if size >= least
    )


def _squared_up(at: Float32) -> Float32:
    """The wider direction from left to right, the middle in the middle, from -1 to 1."""
    at = at - at.mean(axis=0)
    _, axes = np.linalg.eigh(at.T.astype(np.float64) @ at)
    axes = axes[:, ::-1]
    axes = axes * np.sign(axes[0] + (axes[0] == 0))
    turned = (at @ axes).astype(np.float32)
    low, high = turned.min(axis=0), turned.max(axis=0)
    return (turned - (low + high) / 2) / max(float((high - low).max()) / 2, 1e-9)
