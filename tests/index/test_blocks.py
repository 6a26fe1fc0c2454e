import numpy as np
import pytest

from skillret.index.blocks import Block, GramCounts, find_grams, grow, search_blocks


def block(keys, seed=0, dim=5):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((len(keys), dim), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    grams = [np.unique(rng.integers(0, 60, rng.integers(0, 20))).astype(np.uint32) for _ in keys]
    return Block.of(list(keys), vectors, grams)


def row(block, number):
    return block.grams[block.starts[number] : block.starts[number + 1]]


def none(blocks):
    return [np.empty(0, dtype=np.int64)] * len(blocks)


def test_a_joined_block_is_that_of_all_rows():
    first, second = block(range(7)), block(range(9, 12), seed=1)
    both = first.plus(second)
    assert both.keys.tolist() == [*range(7), 9, 10, 11]
    for number in range(7):
        np.testing.assert_array_equal(row(both, number), row(first, number))
    for number in range(3):
        np.testing.assert_array_equal(row(both, 7 + number), row(second, number))
    np.testing.assert_allclose(
        both.moments.products, first.moments.plus(second.moments).products, atol=1e-4
    )


def test_blocks_stay_few_and_the_kept_ones_as_they_are():
    first = block(range(3))
    blocks = (first,)
    for key in range(3, 500):
        blocks = grow(blocks, block([key]), kept=1)
        assert blocks[0] is first
        assert len(blocks) <= 12
    assert np.concatenate([b.keys for b in blocks]).tolist() == list(range(500))


def test_grams_are_counted_the_same_by_every_way():
    rows = block(range(40))
    codes = np.arange(70, dtype=np.uint32)
    expected = [sum(c in row(rows, i) for i in range(40)) for c in codes]
    assert rows.counts is None
    assert rows.count(codes).tolist() == expected
    assert GramCounts.of(rows.grams).look_up(codes).tolist() == expected
    assert GramCounts.of(rows.grams[:0]).look_up(codes).tolist() == [0] * 70


def test_grams_that_share_their_last_bits_are_told_apart():
    row = np.array([5, 5 + (1 << 16), 9 + (2 << 16)], dtype=np.uint32)
    codes = np.array([5, 9, 9 + (2 << 16), 5 + (3 << 16)], dtype=np.uint32)
    assert find_grams([row, row[:0]], codes).tolist() == [
        [True, False, True, False],
        [False] * 4,
    ]


@pytest.mark.parametrize("count", [1, 2, 7, 8, 32, 33])
@pytest.mark.parametrize("rows", [1, 383, 2100])
def test_cosines_are_right_whatever_the_number_of_vectors(count, rows):
    own = block(range(rows), dim=16)
    asked = np.random.default_rng(2).standard_normal((count, 16), dtype=np.float32)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    for vector, (keys, cosines) in zip(
        asked, search_blocks([own], none([own]), asked, [5] * count), strict=True
    ):
        exact = own.vectors @ vector
        np.testing.assert_allclose(cosines, np.sort(exact)[::-1][:5], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(exact[keys], cosines, rtol=1e-4, atol=1e-5)


def test_ties_go_to_the_smaller_key_across_blocks_and_the_dead_do_not_count():
    vectors = np.ones((4, 2), dtype=np.float32)
    grams = [np.empty(0, dtype=np.uint32)] * 4
    parts = [Block.of(range(n, n + 4), vectors, grams) for n in (0, 4, 8)]
    dead = [np.array([0, 2]), np.empty(0, dtype=np.int64), np.array([3])]
    ((keys, _),) = search_blocks(parts, dead, vectors[:1], [20])
    assert keys.tolist() == [1, 3, 4, 5, 6, 7, 8, 9, 10]
    keep = [np.arange(4) > 1 for _ in parts]
    ((keys, _),) = search_blocks(parts, dead, vectors[:1], [3], keep)
    assert keys.tolist() == [3, 6, 7]
    assert search_blocks([], [], vectors[:1], [3])[0].keys.tolist() == []
