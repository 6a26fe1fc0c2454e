from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import HashEncoder
from tests.training.test_rows import DEV, Listed, listed

from skillret.training.negatives import mine, pick
from skillret.training.rows import open_tables, write_tables
from skillret.training.sections import NegativesSection
from skillret.training.teacher import write_teacher
from skillret.types import Skill

TAIL = " " + " ".join(f"step{i}" for i in range(10))
BODIES = [
    "convert invoices from scanned pages to tables" + TAIL,
    "convert invoices from photos to tables of numbers",
    "plan meals for the week",
    "convert invoices by mail to tables",
    "play chess openings",
    "convert invoices from scanned pages to tables" + TAIL,  # a copy of the first
]


@pytest.fixture
def tables(recipe, tmp_path):
    source = listed([["s0"]], BODIES, ["convert invoices from scanned pages"])
    skills = [*source.rows[:3], replace(source.rows[3], name="name-0"), *source.rows[4:]]
    made = recipe(loss={"duplicate_threshold": 0.6})
    write_tables(Listed(skills, source.asked), DEV, made, tmp_path / "t")
    return open_tables(tmp_path / "t")


def section(**keys):
    return NegativesSection(**{"per_pair": 1, "max_share": 1.0, "max_overlap": 1.0, **keys})


@pytest.mark.parametrize("sources", [("bm25",), ("encoder",), ("encoder", "bm25")])
def test_the_nearest_skill_that_is_no_gold_is_taken(tables, sources):
    found, told = mine(tables, section(sources=sources), HashEncoder(dim=1024), 0)
    # Neither the gold skill, nor its copy, nor one of its name.
    assert found.tolist() == [[1]]
    assert told.startswith("hard negatives: 1 mined, 0 random")
    assert not list(tables.folder.glob("miner-*"))


def test_a_skill_of_the_same_name_is_left_out_unless_wanted(tables):
    found, told = mine(tables, section(sources=("bm25",), per_pair=2), None, 0)
    assert 3 not in found
    assert "1 by name" in told
    found, _ = mine(tables, section(sources=("bm25",), per_pair=2, same_name=True), None, 0)
    assert set(found[0].tolist()) == {1, 3}


def test_overlapping_texts_are_left_out(tables):
    _, told = mine(tables, section(sources=("bm25",), max_overlap=0.01), None, 0)
    assert "1 by overlap" in told
    assert "0 mined" in told


def test_scores_near_the_positive_s_are_left_out(tables):
    found, told = mine(tables, section(sources=("bm25",), max_share=0.01), None, 0)
    assert "0 mined, 1 random" in told
    assert found[0, 0] in (2, 4, 1)


def test_ranks_are_counted_without_gold_skills(tables):
    keys = {"sources": ("bm25",), "same_name": True}
    first, _ = mine(tables, section(**keys), None, 0)
    # The copy of the gold skill holds the first rank, and is no negative.
    second, _ = mine(tables, section(first_rank=3, **keys), None, 0)
    assert first[0, 0] != second[0, 0]


def test_dev_skills_are_never_negatives(recipe, tmp_path):
    skills = [Skill(f"s{i}", f"n{i}", "", f"word{i} shared text") for i in range(30)]
    source = listed([[f"s{i}"] for i in range(30)])
    source = Listed(skills, source.asked)
    write_tables(source, None, recipe(data={"dev_share": 0.5}), tmp_path / "t")
    tables = open_tables(tmp_path / "t")
    found, _ = mine(
        tables, section(sources=("bm25", "encoder"), per_pair=5), HashEncoder(dim=1024), 0
    )
    held = tables.held_out
    assert len(held) >= 10
    assert not held & set(found.ravel().tolist())


def test_only_texts_that_are_trained_on_are_encoded(recipe, tmp_path):
    source = listed([["s0"], ["s1"], ["s2"], ["s0"]])
    write_tables(source, DEV, recipe(data={"max_pairs": 2}), tmp_path / "t")
    tables = open_tables(tmp_path / "t")
    encoder = HashEncoder()
    files = tmp_path / "q.npy", tmp_path / "d.npy"
    skills = tables.pairs[:, 1]
    write_teacher(encoder, tables, files, 0, skills)
    for file, rows, table, column in (
        (files[0], tables.pairs[:, 0], tables.queries, "text"),
        (files[1], skills, tables.skills, "document"),
    ):
        used = sorted(set(rows.tolist()))
        vectors = np.load(file)
        assert np.flatnonzero(np.abs(vectors).sum(axis=1)).tolist() == used
        np.testing.assert_array_equal(vectors[used], encoder.encode_queries(table[used][column]))


def test_sources_take_turns():
    assert pick([[1, 2, 3], [4, 1, 5]], 4) == [1, 4, 2, 3]
    assert pick([[], [7]], 3) == [7]


def test_random_ones_are_drawn_by_seed(tables):
    keys = section(sources=("bm25",), per_pair=3, max_share=0.01)
    a, b = (mine(tables, keys, None, 7)[0] for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_a_library_without_a_faultless_negative_ends_with_what_there_is(recipe, tmp_path):
    skills = [Skill(f"s{i}", "one name", "", f"word{i} shared text") for i in range(20)]
    source = Listed(skills, listed([["s0"], ["s1"]]).asked)
    write_tables(source, DEV, recipe(), tmp_path / "t")
    found, _ = mine(open_tables(tmp_path / "t"), section(sources=("bm25",), per_pair=3), None, 0)
    assert all(len({*row}) == 3 for row in found.tolist())
    assert 0 not in found[0]


def test_no_negative_comes_twice(tables):
    found, _ = mine(tables, section(sources=("bm25",), per_pair=3, max_share=0.01), None, 0)
    assert len(set(found[0].tolist())) == 3
