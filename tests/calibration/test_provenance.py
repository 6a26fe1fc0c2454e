from dataclasses import replace

import pytest
from tests.calibration.test_calibrate import labelled
from tests.retrieval.test_calibration import fitted_on as entry
from tests.retrieval.test_calibration import make_calibration

from skillret.calibration.provenance import (
    check_held_out,
    fitted_on,
    judging_texts,
    merge,
    only,
    without,
)
from skillret.errors import DatasetError


def test_a_name_does_not_say_where_a_data_set_lies(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    data = labelled()
    for name, said in ((str(folder), "mine"), ("owner/name@v2", "owner/name"), ("toy", "toy")):
        assert fitted_on(replace(data, name=name), ["x"], "need").dataset == said


def test_unlabelled_queries_judge_nothing():
    data = labelled(count=5, negatives=2)
    data = replace(data, qrels={q: g for q, g in data.qrels.items() if q != "q0"})
    texts = judging_texts(data)
    assert len(texts) == 4 + 2
    assert data.queries[0].text not in texts


def test_purposes_are_taken_away_and_what_has_none_is_left_out():
    both, one = entry(purpose=("ranker", "need")), entry(purpose=("need",))
    assert [e.purpose for e in only([both, one], "ranker")] == [("ranker",)]
    assert [e.purpose for e in without([both, one], "need")] == [("ranker",)]


def test_only_data_sets_with_these_queries_are_named():
    data = labelled()
    fitted = [entry(judging_texts(data), ("ranker",), "mine"), entry(("x",), ("helped",), "other")]
    calibration = make_calibration(fitted_on=tuple(fitted))
    with pytest.raises(DatasetError, match=r"\(mine rev dev\)"):
        check_held_out(calibration, data)
    check_held_out(make_calibration(fitted_on=(fitted[1],)), data)
    needed_only = (entry(judging_texts(data), ("need", "thresholds")),)
    check_held_out(make_calibration(fitted_on=needed_only), data)


def test_what_says_nothing_beside_a_new_entry_is_left_out():
    new = entry(("a", "b"), ("need", "thresholds"))
    same, ranked = entry(("b",), ("need",)), entry(("b",), ("ranker",))
    more = entry(("b", "c"), ("need",))
    assert merge([same, ranked, more], new) == (ranked, more, new)
