import json

import pytest
from tests.tables import QUERIES, qrel_rows, skill_rows, write_table

from skillret.datasets.check import check_dataset
from skillret.datasets.convert import convert
from skillret.datasets.dataset import load_dataset
from skillret.errors import DatasetError


def faults(folder, *, refused):
    """What was found, without the remark on few queries that every small set gets."""
    found = check_dataset(str(folder)).findings
    return {
        (f.split, f.what, f.count)
        for f in found
        if f.refused is refused and "with only" not in f.what
    }


def test_a_good_data_set_is_counted(dataset):
    check = check_dataset(str(dataset))
    assert check.ok
    counts = dict(check.splits["dev"])
    assert counts.pop("revision") == load_dataset(str(dataset), "dev").revision
    texts = sum(len(r["name"] + r["description"] + r["skill_md"]) for r in skill_rows())
    assert counts == {
        "skills": 4,
        "queries": 3,
        "qrels": 4,
        "negatives": 2,
        "characters": texts,
        "k=1": 2,
        "k=2": 1,
    }
    (finding,) = check.findings
    assert "only 3 queries figures are good to about 45 points" in finding.what
    assert json.loads(json.dumps(check.to_json()))["ok"] is True


def change(dataset, table, rows):
    write_table(dataset, table, "dev", rows)


REFUSED = [
    ("skills", [*skill_rows(), skill_rows()[0]], "skills are there twice (by id)"),
    ("skills", [*skill_rows(), {"id": "x"}], "rows of skills are malformed"),
    ("queries", [*QUERIES, QUERIES[0]], "queries are there twice (by id)"),
    ("queries", [*QUERIES, {"id": "x", "query": ""}], "rows of queries are malformed"),
    ("queries", [], "there are no queries that need a skill; at least one must"),
    (
        "qrels",
        [*qrel_rows(), {"query_id": "q1", "skill_id": "gone"}],
        "labels name a skill that is not there",
    ),
    ("qrels", [*qrel_rows(), {"query_id": "q1"}], "rows of qrels are malformed"),
    ("qrels", [{"query_id": "q9", "skill_id": "pdf-tables"}], "no query has a gold skill"),
    ("negatives", [{"id": "n", "query": "x"}] * 2, "negatives are there twice (by id)"),
    ("negatives", [{"id": "n"}], "rows of negatives are malformed"),
]


@pytest.mark.parametrize(("table", "rows", "what"), REFUSED)
def test_what_evaluation_refuses_is_found(dataset, table, rows, what):
    change(dataset, table, rows)
    with pytest.raises(DatasetError):
        load_dataset(str(dataset), "dev")
    assert not check_dataset(str(dataset)).ok
    assert what in {w for _, w, _ in faults(dataset, refused=True)}


def test_a_file_that_cannot_be_read_does_not_hide_the_rest(dataset):
    file = change(dataset, "skills", skill_rows()) or dataset / "data" / "skills" / "dev.jsonl.gz"
    file.write_bytes(file.read_bytes()[:-20])
    change(dataset, "queries", [*QUERIES, QUERIES[0]])
    found = {what for _, what, _ in faults(dataset, refused=True)}
    assert {"file of skills cannot be read", "queries are there twice (by id)"} <= found


def test_what_makes_figures_doubtful_is_found(dataset):
    rows = skill_rows()
    change(
        dataset,
        "skills",
        [
            *rows,
            {**rows[0], "id": "copy", "name": "other", "skill_md": "use  OCR\nfor scans."},
            {"id": "bare", "name": "bare"},
            {"id": "stub", "name": "stub", "description": "d"},
            {"id": "mute", "name": "mute", "skill_md": "s"},
        ],
    )
    change(
        dataset,
        "queries",
        [*QUERIES, {"id": "q4", "query": "Crashing pods"}, {"id": "q5", "query": "lonely"}],
    )
    change(
        dataset,
        "qrels",
        [
            *qrel_rows(),
            qrel_rows()[0],
            {"query_id": "q4", "skill_id": "stub"},
            {"query_id": "q9", "skill_id": "stub"},
            {"query_id": "q5", "skill_id": "stub", "relevance": 0},
        ],
    )
    change(dataset, "negatives", [{"id": "n1", "query": "lonely"}])
    assert faults(dataset, refused=True) == set()
    assert faults(dataset, refused=False) == {
        ("dev", "skills are copies of another one (equal content)", 1),
        ("dev", "skills have no text beside their name", 1),
        ("dev", "skills have no body", 1),
        ("dev", "skills have no description", 1),
        ("dev", "queries have the text of another one", 1),
        ("dev", "queries have no gold skill and are not scored", 1),
        ("dev", "labels are there twice", 1),
        ("dev", "labels name a query that is not there", 1),
        ("dev", "negatives have the text of a query", 1),
    }
    load_dataset(str(dataset), "dev")


def test_skills_and_requests_that_two_splits_share(dataset):
    rows = skill_rows()
    copy = {**rows[1], "id": "k8s", "name": "other name", "skill_md": "READ the events. "}
    write_table(dataset, "skills", "train", [rows[0], copy, {"id": "own", "name": "own"}])
    queries = [{"id": "t1", "query": "crashing  PODS", "skill_ids": ["k8s"]}]
    write_table(dataset, "queries", "train", queries)
    assert faults(dataset, refused=False) >= {
        ("dev, train", "skills are in both splits (by id)", 1),
        ("dev, train", "skills are in both splits (equal content)", 1),
        ("dev, train", "queries are in both splits (equal text)", 1),
    }
    examples = {f.what: f.examples for f in check_dataset(str(dataset)).findings}
    assert examples["skills are in both splits (equal content)"] == ("kubernetes-debugging = k8s",)


def test_a_corpus_that_beir_splits_share_is_no_leak(dataset, tmp_path):
    convert(str(dataset), tmp_path / "beir", "beir", split="dev")
    qrels = tmp_path / "beir" / "qrels"
    (qrels / "test.tsv").write_text((qrels / "dev.tsv").read_text())
    assert faults(tmp_path / "beir", refused=False) == {
        ("dev, test", "queries are in both splits (equal text)", 3)
    }


@pytest.mark.data
def test_openskillret_can_be_evaluated_and_its_splits_share_no_skill(openskillret):
    check = check_dataset(str(openskillret))
    assert check.ok
    counts = {s: (c["skills"], c["queries"], c["qrels"]) for s, c in check.splits.items()}
    assert counts == {"train": (10624, 35607, 37457), "dev": (2550, 2482, 2767)}
    assert not any("both splits" in f.what for f in check.findings)
