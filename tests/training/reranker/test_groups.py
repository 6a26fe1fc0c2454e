from dataclasses import replace

import numpy as np
import pytest
from tests.training.test_rows import DEV, Listed, listed

from skillret.datasets.labelled import open_split
from skillret.errors import InputError
from skillret.training.negatives import mine
from skillret.training.reranker.groups import open_groups, write_groups
from skillret.training.rows import open_tables, write_tables
from skillret.training.sections import NegativesSection

BODIES = [
    "convert invoices from scanned pages to tables",
    "convert invoices from photos to tables of numbers",
    "convert invoices by mail to tables",
    "plan meals for the week",
    "play chess openings",
]


@pytest.fixture
def tables(reranker_recipe, tmp_path):
    source = listed([["s0"], ["s3"]], BODIES, ["convert invoices from scans", "plan my meals"])
    asked = [replace(source.asked[0], also=("s1", "gone")), source.asked[1]]
    write_tables(Listed(source.rows, asked), DEV, reranker_recipe(), tmp_path / "t")
    return open_tables(tmp_path / "t")


def section(**keys):
    return NegativesSection(**{"per_pair": 2, "max_share": 0.0, "max_overlap": 1.0, **keys})


def test_what_would_do_as_well_is_no_negative(tables):
    assert tables.also == {0: (1,)}
    found, _ = mine(tables, section(sources=("bm25",)), None, 0)
    assert 1 not in found[0]
    assert found[0][0] == 2


def test_only_the_wanted_ranks_are_taken(tables):
    found, told = mine(tables, section(sources=("bm25",), first_rank=2, per_pair=1), None, 0)
    assert found[0][0] != 2  # its first rank that is no gold one
    assert told.startswith("hard negatives: ")


def test_negatives_of_a_run_come_in_its_order(tables, tmp_path):
    run = tmp_path / "x.run"
    run.write_text("q0 Q0 s4 1 9 x\nq0 Q0 s0 2 8 x\nq0 Q0 s3 3 7 x\nq1 Q0 s3 1 9 x\n")
    found, told = mine(tables, section(sources=("run",), run=str(run)), None, 0)
    assert found[0].tolist() == [4, 3]
    assert told.startswith("hard negatives: 2 mined, 2 random")
    first = section(sources=("run",), run=str(run), first_rank=2, per_pair=1)
    assert mine(tables, first, None, 0)[0][0].tolist() == [3]
    run.write_text("q0 Q0 other 1 9 x\n")
    with pytest.raises(InputError, match=r"x\.run is a run of another data set"):
        mine(tables, section(sources=("run",), run=str(run)), None, 0)


def test_negatives_of_our_own_retriever(tables):
    from skillret.encoders import load_encoder

    skills = listed([["s0"]], BODIES).rows
    packaged = load_encoder("default")
    found, told = mine(tables, section(sources=("retriever",)), packaged, 0, skills)
    assert found[0][0] == 2
    assert "0 random" in told


def test_a_group_is_one_gold_skill_and_its_negatives(tables):
    negatives = np.array([[2, 1], [4, 4]])  # s1 would do as well; one is there twice
    assert write_groups(tables, negatives) == 2
    groups = open_groups(tables, 256)[:]
    assert groups["query"] == ["convert invoices from scans", "plan my meals"]
    assert [len(d) for d in groups["documents"]] == [3, 3]
    assert groups["documents"][0][0].startswith("name-0 | ")
    assert groups["label"] == [[0, 0, 1, 0, -1], [1, 3, 1, 0, -1]]
    (short,) = open_groups(tables, 1)[:1]["documents"]
    assert {len(text) for text in short} == {16}


def test_also_is_read_from_the_data(dataset, tmp_path):
    import gzip
    import json
    import shutil

    shutil.copytree(dataset, tmp_path / "d")
    file = tmp_path / "d" / "data" / "queries" / "dev.jsonl.gz"
    with gzip.open(file, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    rows[0]["also"] = ["d1"]
    with gzip.open(file, "wt") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    queries = list(open_split(tmp_path / "d", "dev").queries())
    assert (queries[0].also, queries[1].also) == (("d1",), ())
