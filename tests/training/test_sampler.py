import pytest

pytest.importorskip("sentence_transformers")

from skillret.training.sampler import LengthGroupedBatchSampler

LENGTHS = [10 + (i * 37) % 500 for i in range(1003)]


def sampler(seed=1, drop_last=True, size=8):
    return LengthGroupedBatchSampler(
        range(len(LENGTHS)), size, drop_last, lengths=LENGTHS, seed=seed
    )


def test_every_pair_is_drawn_once():
    batches = list(sampler(drop_last=False))
    assert sorted(i for b in batches for i in b) == list(range(1003))
    whole = list(sampler())
    assert {len(b) for b in whole} == {8}
    assert len(whole) == 125 == len(sampler())


def test_a_batch_holds_similar_lengths():
    spread = [max(ls) / min(ls) for b in sampler() if (ls := [LENGTHS[i] for i in b])]
    assert sorted(spread)[len(spread) // 2] < 2.0


def test_order_depends_on_seed_and_epoch_alone():
    assert list(sampler()) == list(sampler())
    assert list(sampler()) != list(sampler(seed=2))
    later = sampler()
    later.set_epoch(1)
    assert list(later) != list(sampler())
