import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.datasets.make.test_pipeline import make

from skillret.datasets.make.reviews import (
    DECISIONS,
    agreement,
    cohen_kappa,
    read_reviews,
    store_decision,
)
from skillret.datasets.row_files import read_rows
from skillret.errors import InputError


def test_kappa_by_hand():
    a = dict(enumerate("aaaarrrrcc"))
    b = dict(enumerate("aaarrrrrac"))
    # 8 of 10 equal; chance .4 * .4 + .4 * .5 + .2 * .1 = .38
    kappa, both = cohen_kappa(a, b)
    assert both == 10
    assert kappa == pytest.approx((0.8 - 0.38) / (1 - 0.38))
    assert cohen_kappa(a, {}) == (pytest.approx(float("nan"), nan_ok=True), 0)
    assert cohen_kappa({"1": "accept"}, {"1": "accept"}) == (1.0, 1)


@given(st.dictionaries(st.integers(0, 30), st.sampled_from(DECISIONS), min_size=1))
def test_kappa_of_one_with_himself_is_1(said):
    assert cohen_kappa(said, said)[0] == pytest.approx(1)


def test_the_last_decision_counts_and_a_torn_line_is_passed_over(tmp_path):
    store_decision(tmp_path, "ann", {"id": "q", "decision": "accept"})
    store_decision(tmp_path, "ann", {"id": "q", "decision": "correct", "query": " better "})
    file = tmp_path / "reviews" / "ann.jsonl"
    with file.open("ab") as out:
        out.write(b'{"id": "r", "deci')
    assert read_reviews(tmp_path)["ann"] == {
        "q": {"id": "q", "decision": "correct", "query": "better"}
    }
    store_decision(tmp_path, "ann", {"id": "r", "decision": "reject"})
    assert read_reviews(tmp_path)["ann"]["r"]["decision"] == "reject"


@pytest.mark.parametrize(
    "decision",
    [
        {"decision": "accept"},
        {"id": "q", "decision": "maybe"},
        {"id": "q", "decision": "correct"},
        {"id": "q", "decision": "correct", "query": "x" * 5000},
    ],
)
def test_what_is_no_decision_is_refused(decision, tmp_path):
    with pytest.raises(InputError):
        store_decision(tmp_path, "ann", decision)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a b", "x" * 50, "a.jsonl"])
def test_a_reviewer_s_name_is_no_path(name, tmp_path):
    with pytest.raises(InputError, match="is no name"):
        store_decision(tmp_path, name, {"id": "q", "decision": "accept"})
    assert not (tmp_path / "reviews").exists()


def test_reviews_change_the_data_set(library, tmp_path):
    out = tmp_path / "out"
    make(library, out, {})
    ids = [row["id"] for row in read_rows(out / "steps" / "check.jsonl") if row["skill_ids"]]
    for reviewer, said in {
        "ann": ["accept", "reject", "correct", "reject"],
        "ben": ["accept", "reject", "accept", "accept"],
        "eve": ["accept", "accept", "accept", "accept"],
    }.items():
        for id_, decision in zip(ids, said, strict=False):
            more = {"query": "quite another wording of the same"} if decision == "correct" else {}
            store_decision(out, reviewer, {"id": id_, "decision": decision, **more})
    reports = make(library, out, {})
    assert [name for name, report in reports.items() if report.fresh] == ["review", "card"]
    assert (
        "dropped 1: 1 rejected; 3 looked at by a person, 1 corrected" in reports["review"].summary
    )
    rows = {row["id"]: row for row in read_rows(out / "steps" / "review.jsonl")}
    assert ids[1] not in rows
    assert rows[ids[2]]["query"] == "quite another wording of the same"
    assert rows[ids[3]]["reviews"] == 3
    assert len(agreement(out)) == 3
    assert agreement(out)[0] == "ann and ben: Cohen's kappa 0.27 on 4 requests"
    assert agreement(out)[0] in (out / "README.md").read_text()
    assert json.loads((out / "steps" / "review.json").read_text())["summary"]
