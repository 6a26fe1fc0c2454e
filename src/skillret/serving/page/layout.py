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

_CLOSE = 15  # neighbours that make groups
_FARTHER, _FAR = 8, 0.03  # how many farther ones, and the rank of the last as a share of all
_COMPONENTS = 48  # kept for finding neighbours; more change the map little
_BLOCK = 256  # rows of similarities at once
_MOST = 30_000  # points that are laid out; more are placed among these
_EARLY, _LATE = 100, 200  # steps
_EARLY_PULL = 6.0  # of the early steps: what repels counts so much less then
_FEW = 30  # points that have room enough from the start
_ROOM = (0.5, 1.2)  # of 50 and of 2,000 points: the larger, the nearer neighbours come together
_RATE = 0.5  # of a step
_CELL = 0.5  # of the mesh; the potential's own width is 1
_MESH = (40, 400)  # fewest and most cells along a side
_MARGIN = 2  # cells around the points
_LEAP = 2.0  # of a coordinate in one step at most
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
    ranks = _ranks(n)
    near = nearest(reduced, reduced, int(ranks[-1]) + 1)[:, ranks]
    start = reduced[:, :2] * (1e-3 / max(float(reduced[:, 0].std()), 1e-9))
    return _squared_up(_embedded(start, near))


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


def _ranks(n: int) -> NDArray[np.int64]:
    """Which of the `n` nearest draw a point: the first ones, then ever fewer, farther ones.

    The near ones make groups, and the farther ones hold alike groups together. Rank 0 is itself.
    """
    close = min(_CLOSE, max(2, n // 8))
    last = max(close + 1, int(n * _FAR))
    far = np.rint(np.geomspace(close + 1, last, _FARTHER)).astype(np.int64)
    ranks = np.unique(np.concatenate([np.arange(1, close + 1), far]))
    return ranks[ranks < n]


def nearest(asked: Float32, vectors: Float32, count: int) -> NDArray[np.int64]:
    """The rows of `vectors` `(n, dim)` most similar to each asked for, best first `(q, count)`."""
    found = np.empty((len(asked), count), dtype=np.int64)
    turned = np.ascontiguousarray(vectors.T)
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        similar = np.empty((len(block), len(vectors)), dtype=np.float32)
        for left in range(0, len(vectors), 1024):
            similar[:, left : left + 1024] = product(block, turned[:, left : left + 1024])
        best = np.argpartition(-similar, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(similar, best, axis=1), axis=1, kind="stable")
        found[start : start + _BLOCK] = np.take_along_axis(best, order, axis=1)
    return found


def _components(vectors: Float32, count: int) -> Float32:
    """The first principal components, scaled to unit length as a row, `(n, count)`."""
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    axes = axes[:, ::-1][:, :count]
    # A component may point either way: the way is chosen, so that it does not hang on a library.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    reduced = product(centred, np.ascontiguousarray(axes, dtype=np.float32))
    lengths = np.linalg.norm(reduced, axis=1, keepdims=True)
    return np.asarray(reduced / np.maximum(lengths, 1e-9), dtype=np.float32)


def _embedded(start: Float32, near: NDArray[np.int64]) -> Float32:
    """Gradient descent, with momentum and a gain for each coordinate (Jacobs, 1988)."""
    count = near.shape[1]
    at, target = start.astype(np.float32), near.ravel()
    speed, gain = np.zeros_like(at), np.ones_like(at)
    room = float(np.interp(np.log10(len(at)), (1.7, 3.3), _ROOM))
    mesh: _Mesh | None = None
    for step in range(_EARLY + _LATE):
        early = step < _EARLY and len(at) > _FEW
        if mesh is None or step % _EVERY == 0 or not mesh.covers(at):
            mesh = _Mesh(at)
        # A step of one goes to the middle of the neighbours.
        pull = _attraction(at, near, target) / count
        push = mesh.repulsion(at) / (count * room * (_EARLY_PULL if early else 1.0))
        slope = pull - push
        same = (slope > 0) == (speed > 0)
        gain = np.clip(np.where(same, gain * 0.8, gain + 0.1), 0.05, 2.0)
        speed = np.clip((0.5 if early else 0.7) * speed - _RATE * gain * slope, -_LEAP, _LEAP)
        at = at + speed
        at -= at.mean(axis=0)
    return at


def _attraction(at: Float32, near: NDArray[np.int64], target: NDArray[np.int64]) -> Float32:
    """What draws each point to its neighbours and to those whose neighbour it is, `(n, 2)`."""
    x, y = np.ascontiguousarray(at[:, 0]), np.ascontiguousarray(at[:, 1])
    across, down = x[:, None] - x[near], y[:, None] - y[near]
    force = 0.5 / (1 + across * across + down * down)
    out = np.empty_like(at)
    for axis, apart in enumerate((across, down)):
        apart *= force
        back = np.bincount(target, weights=apart.ravel(), minlength=len(at))
        out[:, axis] = apart.sum(axis=1) - back
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

    def repulsion(self, at: Float32) -> Float32:
        """Of each point the sum of (y - y') / (1 + |y - y'|^2)^2 over all others, `(n, 2)`.

        It is half the negative gradient of the sum of 1 / (1 + |y - y'|^2).
        """
        place = (at - self.low) / np.float32(self.cell)
        whole = place.astype(np.int64)
        part = (place - whole).astype(np.float32)
        x, y = part[:, 0], part[:, 1]
        first = whole[:, 0] * self.nodes + whole[:, 1]
        corners = (first, first + 1, first + self.nodes, first + self.nodes + 1)
        shares = ((1 - x) * (1 - y), (1 - x) * y, x * (1 - y), x * y)
        mass = np.zeros(self.nodes**2, dtype=np.float32)
        for corner, share in zip(corners, shares, strict=True):
            mass += np.bincount(corner, weights=share, minlength=self.nodes**2)
        grid = mass.reshape(self.nodes, self.nodes)
        spread = np.fft.rfft2(grid, s=(self.size, self.size)) * self.kernel
        field = np.fft.irfft2(spread, s=(self.size, self.size))[: self.nodes, : self.nodes]
        values = field.astype(np.float32)
        slopes = np.gradient(values, np.float32(self.cell))
        push = np.empty_like(at)
        for axis in (0, 1):
            flat = slopes[axis].ravel()
            push[:, axis] = sum(flat[c] * s for c, s in zip(corners, shares, strict=True)) * -0.5
        return push


def _smooth(least: int) -> int:
    """The next size that a Fourier transform is fast at."""
    sizes = [(1 << a) * b for a in range(13) for b in (1, 3, 5, 9, 15, 27)]
    return min(size for size in sizes if size >= least)


def _squared_up(at: Float32) -> Float32:
    """The wider direction from left to right, the middle in the middle, from -1 to 1."""
    at = at - at.mean(axis=0)
    _, axes = np.linalg.eigh(at.T.astype(np.float64) @ at)
    axes = axes[:, ::-1]
    axes = axes * np.sign(axes[0] + (axes[0] == 0))
    turned = (at @ axes).astype(np.float32)
    low, high = turned.min(axis=0), turned.max(axis=0)
    middle, reach = (low + high) / 2, max(float((high - low).max()) / 2, 1e-9)
    return np.asarray((turned - middle) / reach, dtype=np.float32)
