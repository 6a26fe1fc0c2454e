"""Lists of near vectors, by themselves, in a block, and in an index."""

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import HashEncoder, fill, make_skill
from tests.index.tools import SOURCES, names

from skillret import Index
from skillret.index.array_file import Base, Extent
from skillret.index.blocks import Block, search_blocks
from skillret.index.cache import Cache
from skillret.index.lists import Lists, find_lists, rounded
from skillret.index.sqlite import SqliteStore

DIM = 48
NONE = [np.empty(0, dtype=np.int64)]


def near_some(number, seed=0):
    """Unit vectors around a hundred centres, and near copies of some."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).standard_normal((100, DIM), dtype=np.float32)
    vectors = centres[rng.integers(100, size=number)]
    vectors = vectors + 0.5 * rng.standard_normal((number, DIM), dtype=np.float32)
    vectors[::3] = vectors[0] + 0.01 * vectors[::3]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make_block(keys, vectors):
    return Block.of(keys.tolist(), vectors, [np.array([1], dtype=np.uint32)] * len(keys))


def make_lists(keys, vectors, known=None):
    centres, owners = find_lists(keys, vectors, known)
    rows = np.argsort(owners, kind="stable")
    bounds = np.searchsorted(owners[rows], np.arange(len(centres) + 1))
    return Lists(centres, bounds, rows, *rounded(vectors[rows]))


@pytest.fixture(scope="module")
def large():
    """A block with lists, the same without, and queries."""
    keys, vectors = np.arange(30_000) * 3 + 1, near_some(30_000)
    plain = make_block(keys, vectors)
    return replace(plain, lists=make_lists(keys, vectors)), plain, near_some(40, seed=1)


def check_lists(block):
    vectors, steps = rounded(block.vectors[block.lists.rows])
    np.testing.assert_array_equal(block.lists.vectors, vectors)
    np.testing.assert_array_equal(block.lists.steps, steps)


def overlap(found, wanted):
    pairs = zip(found, wanted, strict=True)
    return np.mean([len({*f.keys.tolist()} & {*w.keys.tolist()}) / len(w.keys) for f, w in pairs])


@pytest.fixture
def looked_at(monkeypatch):
    """How many rows each search by lists gave."""
    counts = []
    nearest = Lists.nearest
    monkeypatch.setattr(Lists, "nearest", lambda *a: counts.append(1) or nearest(*a))
    return counts


def test_lists_find_what_comparing_all_vectors_finds(large, looked_at):
    listed, plain, queries = large
    found = search_blocks([listed], NONE, queries, [15] * 40)
    wanted = search_blocks([plain], NONE, queries, [15] * 40)
    assert len(looked_at) == 40
    assert overlap(found, wanted) > 0.99
    for f, w in zip(found, wanted, strict=True):
        exact = dict(zip(w.keys.tolist(), w.cosines.tolist(), strict=True))
        for key, cosine in zip(f.keys.tolist(), f.cosines.tolist(), strict=True):
            assert cosine == pytest.approx(exact.get(key, cosine), abs=1e-6)
        order = sorted(zip((-f.cosines).tolist(), f.keys.tolist(), strict=True))
        assert [key for _, key in order] == f.keys.tolist()  # of a tie, the lower key first


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_lists_give_nothing_that_is_gone_or_filtered_out(large, share):
    listed, plain, queries = large
    rng = np.random.default_rng(5)
    keep = [rng.random(len(plain)) < share]
    dead = [np.sort(rng.choice(len(plain), 200, replace=False))]
    found = search_blocks([listed], dead, queries, [20] * 40, keep)
    wanted = search_blocks([plain], dead, queries, [20] * 40, keep)
    assert [len(f.keys) for f in found] == [len(w.keys) for w in wanted]
    if share:
        assert overlap(found, wanted) > 0.99
    allowed = {*plain.keys[np.setdiff1d(np.flatnonzero(keep[0]), dead[0])].tolist()}
    assert all({*f.keys.tolist()} <= allowed for f in found)


def test_whoever_wants_much_gets_all_of_it(large):
    listed, plain, queries = large
    for count in (0, 5000, len(plain) + 1):
        (found,) = search_blocks([listed], NONE, queries[:1], [count])
        (wanted,) = search_blocks([plain], NONE, queries[:1], [count])
        np.testing.assert_array_equal(found.keys, wanted.keys)


def test_a_filter_that_leaves_what_is_far_from_a_query_still_gets_as_many(large):
    listed, plain, queries = large
    near = plain.vectors @ queries[0]
    for share in (0.5, 0.9):
        keep = [near <= np.quantile(near, share)]
        keep[0][listed.lists.rows[:1000]] = False
        (found,) = search_blocks([listed], NONE, queries[:1], [900], keep)
        assert len(found.keys) == 900


def test_lists_stay_as_they_are_while_a_library_changes(monkeypatch):
    keys, vectors = np.arange(3000), near_some(3000)
    before = make_lists(keys[:2000], vectors[:2000])
    stays = np.concatenate([keys[:1500], keys[2000:]])
    known = keys[:2000], before
    after = make_lists(stays, vectors[stays], known)
    np.testing.assert_array_equal(after.centres, before.centres)
    anew = make_lists(stays, vectors[stays], (keys[:900], make_lists(keys[:900], vectors[:900])))
    assert len(anew.centres) > len(make_lists(keys[:900], vectors[:900]).centres)
    for lists in (after, anew):
        assert sorted(lists.rows.tolist()) == [*range(len(stays))]
        for number in range(len(lists.centres)):
            rows = lists.rows[lists.bounds[number] : lists.bounds[number + 1]]
            nearest = np.argmax(vectors[stays[rows]] @ lists.centres.T, axis=1)
            assert (nearest == number).all()


@pytest.fixture
def small(monkeypatch):
    """Also small indexes have lists."""
    monkeypatch.setattr("skillret.index.sqlite_arrays.MAP_FROM", 1)
    monkeypatch.setattr("skillret.index.sqlite_arrays.LEAST_TAIL", 0)
    monkeypatch.setattr("skillret.index.array_file.LISTS_FROM", 4)
    monkeypatch.setattr("skillret.index.sqlite_arrays.LISTS_FROM", 4)
    monkeypatch.setattr("skillret.index.lists._ROUNDED", 0)
    for name in ("_LEAST", "_SHARE", "_EACH"):
        monkeypatch.setattr(f"skillret.index.lists.{name}", 0.1)


def block_of(path):
    with Index.open(path, model=HashEncoder()) as index:
        return index.corpus().blocks[0]


def block_of_any(path):
    store = SqliteStore(path)
    try:
        return store.corpus().blocks[0]
    finally:
        store.close()


def test_an_index_keeps_lists_that_follow_its_changes(tmp_path, small, looked_at):
    path = tmp_path / "i.db"
    with fill(path, encoder=HashEncoder()) as index:
        before = len(index)
        assert len(block_of(path).lists.rows) == before
        index.add([make_skill(f"s{number}") for number in range(3)])
        index.remove(["s1"])
        block = block_of(path)
        check_lists(block)
        assert len(block) == before + 2
        assert names(index).count("s2") == 1
        with Index.open(path, model=HashEncoder()) as other:
            corpus = other.corpus()
            vector = other.encoder.encode_queries(["s2"])
            looked_at.clear()
            (near,) = corpus.nearest(vector, [1])
            assert looked_at
            assert len(near.keys) == 1
        index.update([make_skill("s1")], sources=SOURCES)
        assert block_of(path).lists is None  # too few are left


@pytest.mark.parametrize(
    ("name", "value"),
    [("centres", np.nan), ("bounds", 7), ("bounds", -1), ("listed", None), ("listed", 99),
     ("list_steps", np.inf)],
)  # fmt: skip
def test_lists_that_were_altered_are_not_believed(tmp_path, small, name, value):
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((6, 5), dtype=np.float32)
    block = make_block(np.arange(6), vectors)
    cache = Cache(tmp_path)
    base = cache.write_base([block], Extent(6, 6, 5), "0" * 16, 5, 0)
    assert cache.open_base(base).lists is not None
    file = tmp_path / f"rows-{'0' * 16}.bin"
    data = bytearray(file.read_bytes())
    offset, kind, shape = base.arrays[name]
    array = np.frombuffer(data, kind, int(np.prod(shape)), offset)
    array[array.size // 2] = array[0] if value is None else value
    file.write_bytes(data)
    altered = base._replace(digest=zlib.crc32(data))  # as someone would who wrote the index too
    assert cache.open_base(altered) is None


@pytest.mark.parametrize("name", ["centres", "list_vectors"])
def test_a_description_with_half_of_the_lists_is_no_description(tmp_path, small, name):
    block = make_block(np.arange(6), near_some(6))
    base = Cache(tmp_path).write_base([block], Extent(6, 6, DIM), "0" * 16, 5, 0)
    assert Base.from_json(base.to_json()) == base
    data = json.loads(base.to_json())
    del data["arrays"][name]
    assert Base.from_json(json.dumps(data)) is None


def test_lists_of_another_shape_are_refused(tmp_path, small):
    block = make_block(np.arange(6), near_some(6))
    cache = Cache(tmp_path)
    base = cache.write_base([block], Extent(6, 6, DIM), "0" * 16, 5, 0)
    offset, kind, (rows, dim) = base.arrays["list_vectors"]
    (tmp_path / f"rows-{'0' * 16}.json").unlink()
    for shape in ((rows - 1, dim), (rows, dim - 1), (rows * dim,)):
        arrays = {**base.arrays, "list_vectors": (offset, kind, shape)}
        assert cache.open_base(base._replace(arrays=arrays)) is None
    offset, kind, (count,) = base.arrays["bounds"]
    arrays = {**base.arrays, "bounds": (offset, kind, (count, 1))}
    assert cache.open_base(base._replace(arrays=arrays)) is None


def test_vectors_are_rounded_to_a_127th_of_their_largest_value():
    vectors = np.array([[0.5, -1.27, 0.004], [0, 0, 0]], dtype=np.float32)
    steps, lengths = rounded(vectors)
    assert steps.tolist() == [[50, -127, 0], [0, 0, 0]]
    np.testing.assert_allclose(lengths, [0.01, 1], rtol=1e-6)
    assert rounded(vectors[:0])[0].shape == (0, 3)


def test_lists_become_more_as_a_library_grows():
    vectors = near_some(4000)
    known, sizes = None, []
    for number in range(200, 4001, 200):
        keys = np.arange(number)
        lists = make_lists(keys, vectors[:number], known)
        known = keys, lists
        sizes.append(len(lists.centres))
    fresh = len(make_lists(np.arange(4000), vectors).centres)
    assert sizes[0] < fresh / 2 <= sizes[-1]
